package inventory

// Puppet is how drover lives with the Puppet agents of hosts that it changes.
type Puppet struct {
	Where Where `json:"-"`
	// Disable says that a host's agent is disabled while drover changes that host.
	Disable bool `json:"disable"`
	// Wait is how long a run of the agent that is under way there may take to end.
	Wait Seconds `json:"wait_seconds"`
	// Hold is when a host enables its agent by itself, should no drover do it.
	Hold Seconds `json:"hold_seconds"`
}

// agentWait is how long an agent's run may take: below, hardly one ends; above, whoever
// called drover has given up. agentHold is likewise.
var (
	agentWait = span{10, 4 * 60 * 60}
	agentHold = span{10 * 60, 24 * 60 * 60}
)

func (b *block) puppet(p *Puppet) {
	p.Where = b.where
	b.flag("disable", &p.Disable)
	b.duration("wait", &p.Wait, agentWait)
	b.duration("hold", &p.Hold, agentHold)
}
