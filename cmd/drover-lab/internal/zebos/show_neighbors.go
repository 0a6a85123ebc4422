package zebos

import (
	"encoding/json"
	"fmt"
	"strings"
)

// neighbor is one of FRR's "show ip bgp neighbors json".
type neighbor struct {
	RemoteAS     uint32 `json:"remoteAs"`
	LocalAS      uint32 `json:"localAs"`
	Internal     bool   `json:"nbrInternalLink"`
	Description  string `json:"nbrDesc"`
	PeerGroup    string `json:"peerGroup"`
	AdminDown    bool   `json:"adminShutDown"`
	RouterID     string `json:"remoteRouterId"`
	State        string `json:"bgpState"`
	Up           string `json:"bgpTimerUpString"`
	LastReadMsec int64  `json:"bgpTimerLastRead"`
	HoldMsec     int64  `json:"bgpTimerHoldTimeMsecs"`
	KeepMsec     int64  `json:"bgpTimerKeepAliveIntervalMsecs"`
	Capabilities struct {
		FourByteAS   string                     `json:"4byteAs"`
		RouteRefresh string                     `json:"routeRefresh"`
		Families     map[string]map[string]bool `json:"multiprotocolExtensions"`
		Graceful     string                     `json:"gracefulRestart"`
		RestartMsec  int64                      `json:"gracefulRestartRemoteTimerMsecs"`
	} `json:"neighborCapabilities"`
	Stats struct {
		NotesSent   int `json:"notificationsSent"`
		NotesRecv   int `json:"notificationsRecv"`
		RefreshSent int `json:"routeRefreshSent"`
		RefreshRecv int `json:"routeRefreshRecv"`
		TotalSent   int `json:"totalSent"`
		TotalRecv   int `json:"totalRecv"`
		DepthInq    int `json:"depthInq"`
		DepthOutq   int `json:"depthOutq"`
	} `json:"messageStats"`
	AdvertiseMsec int64 `json:"minBtwnAdvertisementRunsTimerMsecs"`
	Families      map[string]struct {
		Group    string `json:"peerGroupMember"`
		Soft     bool   `json:"inboundSoftConfigPermit"`
		Self     bool   `json:"routerAlwaysNextHop"`
		Accepted int    `json:"acceptedPrefixCounter"`
		Sent     int    `json:"sentPrefixCounter"`
		Max      int64  `json:"prefixAllowedMax"`
	} `json:"addressFamilyInfo"`
	Established int    `json:"connectionsEstablished"`
	Dropped     int    `json:"connectionsDropped"`
	ResetMsec   int64  `json:"lastResetTimerMsecs"`
	ResetDueTo  string `json:"lastResetDueTo"`
	HostLocal   string `json:"hostLocal"`
	PortLocal   int    `json:"portLocal"`
	HostForeign string `json:"hostForeign"`
	PortForeign int    `json:"portForeign"`
	Nexthop     string `json:"nexthop"`
	NextGlobal  string `json:"nexthopGlobal"`
	NextLocal   string `json:"nexthopLocal"`
	RetryMsec   int64  `json:"nextConnectTimerDueInMsecs"`
}

const ipv4Unicast = "ipv4Unicast"

// BGPNeighbors renders "show ip bgp neighbors", of all or of one.
func BGPNeighbors(neighborsJSON []byte) (string, error) {
	var raw map[string]json.RawMessage
	if err := decode(neighborsJSON, &raw); err != nil {
		return "", err
	}
	if _, missing := raw["bgpNoSuchNeighbor"]; missing {
		return "% No such neighbor\n", nil
	}
	var b strings.Builder
	for _, addr := range sortedAddrs(raw) {
		var n neighbor
		if err := decode(raw[addr], &n); err != nil {
			return "", err
		}
		n.write(&b, addr)
	}
	return b.String(), nil
}

func (n neighbor) write(b *strings.Builder, addr string) {
	link := "external"
	if n.Internal {
		link = "internal"
	}
	fmt.Fprintf(b, "BGP neighbor is %s, remote AS %d, local AS %d, %s link\n", addr, n.RemoteAS, n.LocalAS, link)
	if n.PeerGroup != "" {
		fmt.Fprintf(b, " Member of peer-group %s for session parameters\n", n.PeerGroup)
	}
	if n.Description != "" {
		fmt.Fprintf(b, " Description: %s\n", n.Description)
	}
	if n.AdminDown {
		b.WriteString(" Administratively shut down\n")
	}
	fmt.Fprintf(b, "  BGP version 4, remote router ID %s\n", n.RouterID)
	n.writeState(b)
	if n.Stats.TotalRecv > 0 && n.State == "Established" {
		n.writeCapabilities(b)
	}
	s := n.Stats
	fmt.Fprintf(b, "  Received %d messages, %d notifications, %d in queue\n", s.TotalRecv, s.NotesRecv, s.DepthInq)
	fmt.Fprintf(b, "  Sent %d messages, %d notifications, %d in queue\n", s.TotalSent, s.NotesSent, s.DepthOutq)
	fmt.Fprintf(b, "  Route refresh request: received %d, sent %d\n", s.RefreshRecv, s.RefreshSent)
	fmt.Fprintf(b, "  Minimum time between advertisement runs is %d seconds\n", n.AdvertiseMsec/1000)
	n.writeFamily(b)
	n.writeConnection(b)
	b.WriteByte('\n')
}

func (n neighbor) writeState(b *strings.Builder) {
	if n.State == "Established" {
		fmt.Fprintf(b, "  BGP state = Established, up for %s\n", n.Up)
	} else {
		fmt.Fprintf(b, "  BGP state = %s\n", n.State)
	}
	fmt.Fprintf(b, "  Last read %s, hold time is %d, keepalive interval is %d seconds\n", clock(n.LastReadMsec), n.HoldMsec/1000, n.KeepMsec/1000)
}

func (n neighbor) writeCapabilities(b *strings.Builder) {
	c := n.Capabilities
	b.WriteString("  Neighbor capabilities:\n")
	if s := exchange(c.RouteRefresh); s != "" {
		fmt.Fprintf(b, "    Route refresh: %s\n", s)
	}
	if s := exchange(c.FourByteAS); s != "" {
		fmt.Fprintf(b, "    4-Octet ASN Capability: %s\n", s)
	}
	if c.Families[ipv4Unicast]["advertisedAndReceived"] {
		b.WriteString("    Address family IPv4 Unicast: advertised and received\n")
	}
}

// exchange puts FRR's "advertisedAndReceivedNew" into ZebOS's words.
func exchange(frr string) string {
	switch {
	case strings.HasPrefix(frr, "advertisedAndReceived"):
		s := "advertised and received"
		if kind := strings.TrimPrefix(frr, "advertisedAndReceived"); kind == "New" || kind == "OldNew" {
			s += map[string]string{"New": " (new)", "OldNew": " (old and new)"}[kind]
		}
		return s
	case strings.HasPrefix(frr, "advertised"):
		return "advertised"
	case strings.HasPrefix(frr, "received"):
		return "received"
	}
	return ""
}

func (n neighbor) writeFamily(b *strings.Builder) {
	f, ok := n.Families[ipv4Unicast]
	if !ok {
		return
	}
	b.WriteString(" For address family: IPv4 Unicast\n")
	if f.Group != "" {
		fmt.Fprintf(b, "  %s peer-group member\n", f.Group)
	}
	if s := exchange(n.Capabilities.Graceful); s != "" {
		fmt.Fprintf(b, "  AF-dependant capabilities:\n    Graceful restart: %s\n\n", strings.Replace(s, " and ", ", ", 1))
	}
	if f.Soft {
		b.WriteString("  Inbound soft reconfiguration allowed\n")
	}
	if f.Self {
		b.WriteString("  NEXT_HOP is always this router\n")
	}
	b.WriteString("  Community attribute sent to this neighbor (both)\n")
	if f.Max > 0 {
		fmt.Fprintf(b, "  Maximum prefixes %d\n", f.Max)
	}
	fmt.Fprintf(b, "  %d accepted prefixes\n  %d announced prefixes\n\n", f.Accepted, f.Sent)
}

func (n neighbor) writeConnection(b *strings.Builder) {
	fmt.Fprintf(b, " Connections established %d; dropped %d\n", n.Established, n.Dropped)
	if n.State == "Established" && n.Capabilities.Graceful != "" {
		fmt.Fprintf(b, " Graceful-restart Status:\n  Remote restart-time is %d sec\n\n", n.Capabilities.RestartMsec/1000)
	}
	if n.Dropped > 0 {
		fmt.Fprintf(b, "  Last Reset: %s, due to %s\n", clock(n.ResetMsec), n.ResetDueTo)
	}
	if n.PortLocal > 0 {
		fmt.Fprintf(b, "Local host: %s, Local port: %d\n", n.HostLocal, n.PortLocal)
		fmt.Fprintf(b, "Foreign host: %s, Foreign port: %d\n", n.HostForeign, n.PortForeign)
		fmt.Fprintf(b, "Nexthop: %s\nNexthop global: %s\nNexthop local: %s\nBGP connection: non shared network\n", n.Nexthop, orUnset(n.NextGlobal), orUnset(n.NextLocal))
	}
	if n.State != "Established" && n.RetryMsec > 0 {
		fmt.Fprintf(b, "Next connect timer due in %d seconds\n", n.RetryMsec/1000)
	}
}

func orUnset(addr string) string {
	if addr == "" {
		return "::"
	}
	return addr
}

// clock is a duration as routers write it.
func clock(msec int64) string {
	s := msec / 1000
	switch {
	case s < 24*3600:
		return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
	case s < 7*24*3600:
		return fmt.Sprintf("%dd%02dh%02dm", s/86400, s/3600%24, s/60%60)
	}
	return fmt.Sprintf("%02dw%dd%02dh", s/604800, s/86400%7, s/3600%24)
}
