package hosttest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/droverctl/drover/provision/host"
)

// usualCommands are those every machine knows. They take the options that drover
// uses and refuse all others.
func usualCommands() map[string]Handler {
	return map[string]Handler{
		"drover-write-files": writeFiles,
		"drover-upload":      upload,
		"drover-stage":       stage,
		"drover-place":       place,
		"drover-lock":        scripted,
		"drover-history":     scripted,
		"systemctl":          systemctl,
		"sysctl":             sysctl,
		"sha256sum":          sha256sum,
		"mkdir":              mkdir,
		"rm":                 rm,
		"ln":                 ln,
		"chmod":              chmod,
		"chown":              chown,
		"mv":                 mv,
		"cat":                cat,
		"readlink":           readlink,
		"test":               test,
		"true":               func(*State, Call) host.Result { return host.Result{} },
		"false":              func(*State, Call) host.Result { return host.Result{Exit: 1} },
	}
}

func fail(exit int, format string, args ...any) host.Result {
	return host.Result{Exit: exit, Stderr: fmt.Appendf(nil, format+"\n", args...)}
}

func out(s string) host.Result { return host.Result{Stdout: []byte(s)} }

// refused is an option that no handler plays: it looks like a failure of the
// command, with words that say whose it is.
func refused(c Call) host.Result { return fail(64, "hosttest: %q is not played; add it", c.Argv) }

// options splits flags of single letters from operands.
func options(c Call, letters string) (flags string, operands []string, ok bool) {
	for i, w := range c.Argv[1:] {
		if w == "--" {
			return flags, append(operands, c.Argv[i+2:]...), true
		}
		if len(w) < 2 || w[0] != '-' {
			operands = append(operands, w)
			continue
		}
		for _, l := range w[1:] {
			if !strings.ContainsRune(letters, l) {
				return "", nil, false
			}
		}
		flags += w[1:]
	}
	return flags, operands, true
}

// writeFiles plays the transport's script of that name: all or none.
func writeFiles(s *State, c Call) host.Result {
	if len(c.Argv) < 2 || c.Argv[1] != strconv.Itoa((len(c.Argv)-2)/4) || len(c.Argv)%4 != 2 {
		return refused(c)
	}
	left := c.Stdin
	var put []func() error
	for args := c.Argv[2:]; len(args) > 0; args = args[4:] {
		name, owner := args[0], args[2]
		mode, err := strconv.ParseUint(args[1], 8, 32)
		size, err2 := strconv.Atoi(args[3])
		if err != nil || err2 != nil {
			return refused(c)
		}
		if len(left) < size {
			return fail(74, "%s: %d of %d bytes arrived", name, len(left), size)
		}
		content := string(left[:size])
		left = left[size:]
		put = append(put, func() error { return s.Put(name, content, fs.FileMode(mode), owner) })
	}
	for _, p := range put {
		if err := p(); err != nil {
			return fail(1, "mv: %v", err)
		}
	}
	return host.Result{}
}

func sysctl(s *State, c Call) host.Result {
	flags, operands, ok := options(c, "nweq")
	if !ok {
		return refused(c)
	}
	var b strings.Builder
	for _, o := range operands {
		key, value, set := strings.Cut(o, "=")
		if set {
			s.Sysctls[key] = value
		}
		value, known := s.Sysctls[key]
		if !known {
			return fail(255, "sysctl: cannot stat /proc/sys/%s: No such file or directory", strings.ReplaceAll(key, ".", "/"))
		}
		switch {
		case strings.Contains(flags, "q"):
		case strings.Contains(flags, "n"):
			fmt.Fprintln(&b, value)
		default:
			fmt.Fprintf(&b, "%s = %s\n", key, value)
		}
	}
	return out(b.String())
}

func sha256sum(s *State, c Call) host.Result {
	_, names, ok := options(c, "")
	if !ok {
		return refused(c)
	}
	if len(names) == 0 {
		return out(fmt.Sprintf("%x  -\n", sha256.Sum256(c.Stdin)))
	}
	var res host.Result
	for _, n := range names {
		f, _, err := s.Resolve(n)
		if err != nil || f.Kind != Regular {
			res.Exit, res.Stderr = 1, fmt.Appendf(res.Stderr, "sha256sum: %s: No such file or directory\n", n)
			continue
		}
		res.Stdout = fmt.Appendf(res.Stdout, "%x  %s\n", sha256.Sum256([]byte(f.Content)), n)
	}
	return res
}

func mkdir(s *State, c Call) host.Result {
	flags, names, ok := options(c, "p")
	if !ok {
		return refused(c)
	}
	for _, n := range names {
		if !strings.Contains(flags, "p") {
			if _, exists := s.Files[s.Entry(n)]; exists {
				return fail(1, "mkdir: cannot create directory '%s': File exists", n)
			}
			if _, _, err := s.Resolve(path.Dir(n)); err != nil {
				return fail(1, "mkdir: cannot create directory '%s': No such file or directory", n)
			}
		}
		if err := s.MakeDirs(n); err != nil {
			return fail(1, "mkdir: %v", err)
		}
	}
	return host.Result{}
}

func rm(s *State, c Call) host.Result {
	flags, names, ok := options(c, "rf")
	if !ok {
		return refused(c)
	}
	for _, n := range names {
		n = s.Entry(n)
		f, exists := s.Files[n]
		switch {
		case n == "/":
			return fail(1, "rm: it is dangerous to operate recursively on '/'")
		case !exists && !strings.Contains(flags, "f"):
			return fail(1, "rm: cannot remove '%s': No such file or directory", n)
		case exists && f.Kind == Directory && !strings.Contains(flags, "r"):
			return fail(1, "rm: cannot remove '%s': Is a directory", n)
		}
		for _, below := range s.Below(n) {
			delete(s.Files, below)
		}
	}
	return host.Result{}
}

func ln(s *State, c Call) host.Result {
	flags, names, ok := options(c, "sfnT")
	if !ok || !strings.Contains(flags, "s") || len(names) != 2 {
		return refused(c)
	}
	target, name := names[0], s.Entry(names[1])
	if f, _, err := s.Resolve(name); err == nil && f.Kind == Directory && !strings.ContainsAny(flags, "nT") {
		name = path.Join(name, path.Base(target))
	}
	if _, exists := s.Files[name]; exists && !strings.Contains(flags, "f") {
		return fail(1, "ln: failed to create symbolic link '%s': File exists", name)
	}
	if err := s.put(name, File{Kind: Symlink, Target: target, Mode: 0o777, Owner: "root:root"}); err != nil {
		return fail(1, "ln: %v", err)
	}
	return host.Result{}
}

func chmod(s *State, c Call) host.Result {
	_, words, ok := options(c, "")
	if !ok || len(words) < 2 {
		return refused(c)
	}
	mode, err := strconv.ParseUint(words[0], 8, 32)
	if err != nil {
		return refused(c)
	}
	return s.change(words[1:], "chmod", func(f *File) { f.Mode = fs.FileMode(mode) })
}

func chown(s *State, c Call) host.Result {
	_, words, ok := options(c, "")
	if !ok || len(words) < 2 {
		return refused(c)
	}
	return s.change(words[1:], "chown", func(f *File) { f.Owner = words[0] })
}

func (s *State) change(names []string, command string, f func(*File)) host.Result {
	for _, n := range names {
		file, at, err := s.Resolve(n)
		if err != nil {
			return fail(1, "%s: cannot access '%s': No such file or directory", command, n)
		}
		f(&file)
		s.Files[at] = file
	}
	return host.Result{}
}

func mv(s *State, c Call) host.Result {
	flags, names, ok := options(c, "fT")
	if !ok || len(names) != 2 {
		return refused(c)
	}
	from, to := s.Entry(names[0]), s.Entry(names[1])
	if _, exists := s.Files[from]; !exists {
		return fail(1, "mv: cannot stat '%s': No such file or directory", from)
	}
	if f, _, err := s.Resolve(to); err == nil && f.Kind == Directory && !strings.Contains(flags, "T") {
		to = path.Join(to, path.Base(from))
	}
	if _, _, err := s.Resolve(path.Dir(to)); err != nil {
		return fail(1, "mv: cannot move '%s' to '%s': No such file or directory", from, to)
	}
	if old := s.Files[to]; old.Kind == Directory && len(s.Below(to)) > 1 {
		return fail(1, "mv: cannot move '%s' to '%s': Directory not empty", from, to)
	}
	for _, n := range s.Below(from) {
		s.Files[to+strings.TrimPrefix(n, from)] = s.Files[n]
		delete(s.Files, n)
	}
	return host.Result{}
}

func cat(s *State, c Call) host.Result {
	_, names, ok := options(c, "")
	if !ok {
		return refused(c)
	}
	if len(names) == 0 {
		return host.Result{Stdout: c.Stdin}
	}
	var b strings.Builder
	for _, n := range names {
		f, _, err := s.Resolve(n)
		if errors.Is(err, fs.ErrNotExist) {
			return fail(1, "cat: %s: No such file or directory", n)
		} else if err != nil || f.Kind != Regular {
			return fail(1, "cat: %s: Is a directory", n)
		}
		b.WriteString(f.Content)
	}
	return out(b.String())
}

func readlink(s *State, c Call) host.Result {
	flags, names, ok := options(c, "f")
	if !ok || len(names) != 1 {
		return refused(c)
	}
	if strings.Contains(flags, "f") {
		_, at, err := s.Resolve(names[0])
		if err != nil {
			return host.Result{Exit: 1}
		}
		return out(at + "\n")
	}
	f := s.Files[s.Entry(names[0])]
	if f.Kind != Symlink {
		return host.Result{Exit: 1}
	}
	return out(f.Target + "\n")
}

func test(s *State, c Call) host.Result {
	if len(c.Argv) != 3 {
		return refused(c)
	}
	f, _, err := s.Resolve(c.Argv[2])
	var yes bool
	switch c.Argv[1] {
	case "-e":
		yes = err == nil
	case "-f":
		yes = err == nil && f.Kind == Regular
	case "-d":
		yes = err == nil && f.Kind == Directory
	case "-s":
		yes = err == nil && f.Content != ""
	case "-x":
		yes = err == nil && f.Mode&0o111 != 0
	case "-L", "-h":
		yes = s.Files[s.Entry(c.Argv[2])].Kind == Symlink
	default:
		return refused(c)
	}
	if yes {
		return host.Result{}
	}
	return host.Result{Exit: 1}
}
