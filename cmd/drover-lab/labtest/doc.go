// Package labtest holds the lab suites: they drive the real drover-lab as a user
// does, by its command line, against real machines. They run only when the
// environment names the binary (make lab-test, soak and bench do):
//
//	DROVER_LAB   the binary; without it every test is skipped
//	DROVER_SEED  what random choices come from; printed with every run
//	DROVER_SOAK  set: full counts instead of those that fit into make test
//
// What the lab promises, and where it is shown:
//
//	every machine is reachable, healthy, itself   TestEveryMachineIsReachable
//	up and down are quick, machines are small     BenchmarkUpAndDown
//	the mirror serves what it lists, intact       TestMirrorServesEveryArtifact
//	a containerd pulls images by upstream's names TestContainerdPulls
//	a cut stops exactly what it names             TestCut…
//	power and reboots keep the disk               TestPower…
//	a limit holds, both ways                      TestShape
//	a killed up leaves nothing behind             TestKilled…
//	two commands at once harm nothing             TestTwoAtOnce
//	a router peers and forwards as a BIG-IP does  TestRouter…
//	up again repairs, and leaves the rest alone   TestUpAgain…
//	two labs do not know of each other            TestTwoLabs…
//
// Wrong inventories need no machine: testdata/ beside the command has them.
//
// A suite has labs of its own (names, networks, a state directory) and shares
// one between most tests. Its parent process removes all of them at the end,
// however the tests ended, and fails when anything is left.
package labtest
