// Package labtest holds the lab suites of drover itself: the real binary makes
// real clusters on the machines of real labs, and is then made to keep them.
// They run only when the environment names both binaries:
//
//	DROVER       the drover binary; without it every test is skipped
//	DROVER_LAB   the drover-lab binary; without it every test is skipped
//	DROVER_SEED  what random choices come from; printed with every run
//	DROVER_SOAK  set: full counts instead of those that fit into make test
//
// What drover promises, and where it is shown:
//
//	from bare machines to pods behind BIG-IPs   TestBootstrap, TestThreeMastersTwoNodes
//	a second apply changes nothing              TestApplyAgainChangesNothing
//	drift is seen, shown and repaired, alone    TestDrift
//	a setting restarts only who reads it        TestMaxPodsRestartsKubeletsOnly
//	API servers restart one at a time, unseen   TestThreeMastersTwoNodes
//	never a second cluster, nobody else's host  TestRefusals, TestThreeMastersTwoNodes
//	what has no verb is refused, untouched      TestRefusals
//	a missing fragment takes nothing away       TestThreeMastersTwoNodes
//	a saved plan is done as it is, or not       TestSavedPlan
//	every way in that ssh has, and no other     TestWaysIn
//	by hand: what to enter, and a wait for it   TestManualBigIP
//	disturbed anywhere, it goes on from there   TestDisturbedApplyGoesOn, TestLargerClusterKilledGoesOn
//	one apply works at a time                   TestLock
//	without one master all goes on, apply too   TestThreeMastersTwoNodes
//	masters come, and each can be replaced      TestMastersGrowAndAreReplaced
//	no secret where anybody else can look       TestSecrets
//	hosts that reach no mirror are sent it all  TestPortsBetweenHosts/bootstrap by push
//	ports that hosts do not reach are found     TestPortsBetweenHosts
//	what is wrong is told, with its fix         TestWrongWorlds
//	what does not come up says why              TestEvidence
//	nodes come and go, and nobody notices       TestNodesComeAndGo
//	a dead node comes back into nothing         TestNodesComeAndGo
//	Puppet runs it, feeds it and is left alone  TestPuppet
//	none of it passes on a broken cluster       TestChecksCanFail
//
// A suite has labs of its own (names, networks, a state directory); most tests
// share one cluster of one master and one node. Those are in files whose names sort
// first: another test takes that cluster down, and it would be made again. The
// suite's parent process removes all labs at the end, however the tests ended.
package labtest
