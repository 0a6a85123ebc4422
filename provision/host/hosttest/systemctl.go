package hosttest

import (
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// systemctl plays the verbs that drover uses, on units without dependencies.
func systemctl(s *State, c Call) host.Result {
	verb, now, quiet := "", false, false
	var units, props []string
	for i := 1; i < len(c.Argv); i++ {
		switch w := c.Argv[i]; {
		case w == "--now":
			now = true
		case w == "--quiet" || w == "-q":
			quiet = true
		case w == "-p" && i+1 < len(c.Argv):
			i++
			props = strings.Split(c.Argv[i], ",")
		case strings.HasPrefix(w, "--property="):
			props = strings.Split(strings.TrimPrefix(w, "--property="), ",")
		case w == "--no-block" || w == "--" || w == "--value":
			if w != "--" {
				return refused(c)
			}
		case strings.HasPrefix(w, "-"):
			return refused(c)
		case verb == "":
			verb = w
		default:
			if !strings.Contains(w, ".") {
				w += ".service"
			}
			units = append(units, w)
		}
	}
	switch verb {
	case "daemon-reload":
		s.Reloads++
		return host.Result{}
	case "show":
		return show(s, units, props)
	}
	var res host.Result
	for _, name := range units {
		u, exists := s.Units[name]
		if !exists && verb != "is-active" && verb != "is-enabled" {
			return fail(5, "Failed to %s %s: Unit %s not found.", verb, name, name)
		}
		word, exit := u.apply(s, verb, now)
		if exit == 64 {
			return refused(c)
		}
		if exists {
			s.Units[name] = u
		}
		if exit != 0 {
			res.Exit = exit
			if verb == "start" || verb == "restart" || now {
				res.Stderr = fmt.Appendf(res.Stderr, "Job for %s failed: %s\n", name, u.FailStart)
			}
		}
		if word != "" && !quiet {
			res.Stdout = append(res.Stdout, word+"\n"...)
		}
	}
	return res
}

// apply does a verb to one unit.
func (u *Unit) apply(s *State, verb string, now bool) (word string, exit int) {
	switch verb {
	case "is-active":
		if u.Active {
			return "active", 0
		}
		return "inactive", 3
	case "is-enabled":
		if u.Enabled {
			return "enabled", 0
		}
		return "disabled", 1
	case "start":
		if u.Active {
			return "", 0
		}
		return "", u.start(s)
	case "restart":
		return "", u.start(s)
	case "reload":
		if !u.Active {
			return "", 1
		}
	case "stop":
		u.Active = false
	case "enable":
		u.Enabled = true
		if now && !u.Active {
			return "", u.start(s)
		}
	case "disable":
		u.Enabled = false
		u.Active = u.Active && !now
	case "mask":
		u.Masked = true
	case "unmask":
		u.Masked = false
	case "reset-failed":
	default:
		return "", 64
	}
	return "", 0
}

func (u *Unit) start(s *State) int {
	u.Active = false
	if u.Masked || u.FailStart != "" {
		return 1
	}
	u.Active, u.Started = true, s.Now
	u.Starts++
	return 0
}

// show prints properties as `systemctl show -p` does: a paragraph per unit.
func show(s *State, units, props []string) host.Result {
	var b strings.Builder
	for i, name := range units {
		if i > 0 {
			b.WriteByte('\n')
		}
		u, exists := s.Units[name]
		for _, p := range props {
			value := ""
			switch p {
			case "Id":
				value = name
			case "LoadState":
				value = pick(!exists, "not-found", pick(u.Masked, "masked", "loaded"))
			case "ActiveState":
				value = pick(u.Active, "active", "inactive")
			case "SubState":
				value = pick(u.Active, "running", "dead")
			case "UnitFileState":
				value = pick(!exists, "", pick(u.Enabled, "enabled", "disabled"))
			case "ActiveEnterTimestampMonotonic", "ExecMainStartTimestampMonotonic":
				value = "0"
				if u.Starts > 0 {
					value = fmt.Sprint(u.Started.UnixMicro())
				}
			default:
				return fail(64, "hosttest: systemctl show -p %s is not played; add it", p)
			}
			fmt.Fprintf(&b, "%s=%s\n", p, value)
		}
	}
	return out(b.String())
}

func pick(cond bool, a, b string) string {
	if cond {
		return a
	}
	return b
}
