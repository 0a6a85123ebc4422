package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The keywords of ssh_config that drover honours. ProxyCommand is among them to
// be refused: ignoring it would reach another machine than `ssh HOST` does.
var honoured = []string{
	"hostname", "hostkeyalias", "user", "port", "identityfile", "identitiesonly", "identityagent",
	"userknownhostsfile", "globalknownhostsfile", "proxyjump", "proxycommand",
}

// configReader evaluates ssh_config files for one alias, as ssh(1) does in its
// first pass: the first value of a keyword wins, identity files add up.
//
// It is no general parser because files in the field hold what such a parser
// refuses and what does not concern us (`Match final` on RHEL): only a block
// that cannot be decided and sets what we honour is an error.
type configReader struct {
	alias  string
	home   string
	values map[string][]string
	named  bool   // a block other than `Host *` is meant for the alias
	base   string // where relative includes are looked for: as in ssh, wherever a named file is, ~/.ssh
	depth  int
	files  *Files
}

// readConfig evaluates for alias the files that ssh would read. Of those, only the
// ones that were named have to exist.
func readConfig(o Options, alias string) (*configReader, error) {
	r := &configReader{alias: alias, home: o.Home, values: map[string][]string{}, files: o.Files}
	users := filepath.Join(o.Home, ".ssh")
	files, named := o.ConfigFiles, true
	if files == nil {
		files, named = []string{filepath.Join(users, "config"), "/etc/ssh/ssh_config"}, false
	}
	for _, f := range files {
		f = expander(o.Home, nil)(f)
		if r.base = users; !named {
			r.base = filepath.Dir(f)
		}
		if err := r.file(f); err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	return r, nil
}

func (r *configReader) get(key string) string {
	if v := r.values[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// scope is whether the lines of a block count.
type scope int

const (
	inactive scope = iota
	active
	undecided // a Match that depends on what is not known here
)

func (r *configReader) file(path string) error {
	lines, err := r.files.config(path)
	if err != nil {
		return fmt.Errorf("reading ssh_config: %w", err)
	}
	now := active
	for i, line := range lines {
		key, args := line.key, line.args
		if line.err != nil {
			return fmt.Errorf("%s:%d: %w", path, i+1, line.err)
		}
		switch {
		case key == "":
		case key == "host":
			now = inactive
			if r.host(args) {
				now = active
			}
		case key == "match":
			now = r.match(args)
		case key == "include":
			if now == active {
				if err := r.include(args); err != nil {
					return fmt.Errorf("%s:%d: %w", path, i+1, err)
				}
			}
		case !slices.Contains(honoured, key) || now == inactive:
		case now == undecided:
			return fmt.Errorf("%s:%d: %s is set in a Match block that drover cannot decide; use Host, or set it in the inventory", path, i+1, key)
		case len(args) == 0:
			return fmt.Errorf("%s:%d: %s has no value", path, i+1, key)
		case key == "identityfile":
			r.values[key] = append(r.values[key], args[0])
		case r.values[key] == nil:
			r.values[key] = args
		}
	}
	return nil
}

// include reads other files as part of the block that names them.
func (r *configReader) include(args []string) error {
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > 16 {
		return errors.New("includes are nested more than 16 deep")
	}
	for _, pattern := range args {
		switch {
		case strings.HasPrefix(pattern, "~/"):
			pattern = filepath.Join(r.home, pattern[2:])
		case !filepath.IsAbs(pattern):
			pattern = filepath.Join(r.base, pattern)
		}
		files, err := r.files.glob(pattern)
		if err != nil {
			return fmt.Errorf("include %s: %w", pattern, err)
		}
		for _, f := range files {
			if err := r.file(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *configReader) host(patterns []string) bool {
	for _, p := range patterns { // a block that excludes the alias is meant for it too
		p = strings.TrimPrefix(p, "!")
		r.named = r.named || p != "*" && matchOne(p, r.alias)
	}
	return matchList(patterns, r.alias)
}

func (r *configReader) match(criteria []string) scope {
	result := active
	for i := 0; i < len(criteria); i++ {
		word, negate := strings.CutPrefix(strings.ToLower(criteria[i]), "!")
		var ok bool
		switch word {
		case "all":
			ok = true
		case "final", "canonical": // ssh's second pass; the first one skips them
			ok = false
		case "host", "originalhost":
			i++
			if i == len(criteria) {
				return undecided
			}
			subject := r.alias
			if h := r.get("hostname"); word == "host" && h != "" {
				subject = strings.ReplaceAll(h, "%h", r.alias)
			}
			ok = matchList(strings.Split(criteria[i], ","), subject)
			r.named = r.named || ok && criteria[i] != "*"
		default:
			i++
			result = undecided
			continue
		}
		if ok == negate {
			return inactive
		}
	}
	return result
}

// configWords are a line's keyword and arguments, or why it has none.
type configWords struct {
	key  string
	args []string
	err  error
}

// readConfigText reads a file into its lines. A line that is wrong is told where it
// is met, in the order in which ssh would meet it.
func readConfigText(name string) ([]configWords, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var lines []configWords
	for raw := range strings.Lines(string(text)) {
		var w configWords
		w.key, w.args, w.err = configLine(raw)
		lines = append(lines, w)
	}
	return lines, nil
}

// configLine splits a line into its keyword and arguments; `=` may stand
// between them, and arguments may be quoted.
func configLine(line string) (key string, args []string, err error) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil, nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), nil, nil
	}
	key = strings.ToLower(line[:end])
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), " \t")
	for rest != "" && rest[0] != '#' {
		var word string
		if rest[0] == '"' {
			close := strings.IndexByte(rest[1:], '"')
			if close < 0 {
				return "", nil, errors.New("a quote is not closed")
			}
			word, rest = rest[1:1+close], rest[2+close:]
		} else if end := strings.IndexAny(rest, " \t"); end >= 0 {
			word, rest = rest[:end], rest[end:]
		} else {
			word, rest = rest, ""
		}
		args = append(args, word)
		rest = strings.TrimLeft(rest, " \t")
	}
	return key, args, nil
}
