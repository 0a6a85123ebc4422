package machine

// LabsGroup is the control group of all labs.
const LabsGroup = "/drover-lab"

// LabGroup is the control group of everything a lab runs.
func LabGroup(lab string) string { return LabsGroup + "/" + lab }

// WorkGroup is the group of commands at work on a lab: what they start and lose
// sight of is found there.
func WorkGroup(lab string) string { return LabGroup(lab) + "/work" }

// Group is a party's control group. A dot keeps it apart from WorkGroup: no
// machine's name has one.
func Group(lab, party string) string { return LabGroup(lab) + "/party." + party }

// keeperGroup and bootGroup split a machine's group: on cgroup v2 a group with
// children that have controllers cannot hold processes itself.
func keeperGroup(lab, party string) string { return Group(lab, party) + "/keeper" }

// BootGroup holds the machine proper: its PID 1 and all below.
func BootGroup(lab, party string) string { return Group(lab, party) + "/machine" }
