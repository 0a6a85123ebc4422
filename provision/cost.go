package provision

// Cost is what a run has taken of the network between here and the hosts.
type Cost struct {
	Sent, Received int64 // bytes on the SSH connections' TCP streams
	Commands       int64 // that hosts were asked to run
}

// Cost is what the session has cost so far, over all its connections.
func (s *Session) Cost() Cost {
	var sum Cost
	for _, c := range s.conns {
		st := c.Stats()
		sum.Sent += st.Sent
		sum.Received += st.Received
		sum.Commands += st.Execs
	}
	return sum
}
