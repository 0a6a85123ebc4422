package hosttest

import "strings"

// Reboot is what a machine is after it has lost its power: what was enabled runs,
// what was only started does not, and of the settings of the kernel those hold that
// a file has. Whoever is connected is not cut off: that is the server's.
func (h *Host) Reboot() {
	h.Edit(func(s *State) {
		for name, u := range s.Units {
			if u.Active = u.Enabled && !u.Masked && u.FailStart == ""; u.Active {
				u.Started, u.Starts = s.Now, u.Starts+1
			}
			s.Units[name] = u
		}
		for _, dir := range []string{"/run", "/tmp"} {
			for _, name := range s.Below(dir) {
				delete(s.Files, name)
			}
		}
		s.Sysctls = map[string]string{}
		for _, name := range s.Below("/etc/sysctl.d") {
			for line := range strings.Lines(s.Files[name].Content) {
				if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
					s.Sysctls[strings.TrimPrefix(strings.TrimSpace(key), "-")] = strings.TrimSpace(value)
				}
			}
		}
	})
}

// Mend makes room on a disk that was full, and has nothing go wrong any more that
// was to and did not.
func (h *Host) Mend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.full, h.faults = false, nil
}

// Restore makes the machine one that holds just this, to which nothing was done and
// nothing is to happen.
func (h *Host) Restore(s State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state, h.ops, h.faults, h.full = s.clone(), nil, nil, false
}

// holdsMoreThan is whether there is a file that was not there before, or was another.
func (s State) holdsMoreThan(before State) bool {
	for name, f := range s.Files {
		if old, had := before.Files[name]; !had || old.Content != f.Content {
			return true
		}
	}
	return false
}
