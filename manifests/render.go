package manifests

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"sync"
	"text/template"

	"sigs.k8s.io/yaml"
)

//go:embed templates
var templates embed.FS

// parsed are the templates, read once: a thousand hosts have the same ones.
// missingkey=error: a hole in a rendered file would be found by the component that
// reads it, at night.
var parsed = sync.OnceValues(func() (*template.Template, error) {
	return template.New("").Option("missingkey=error").ParseFS(templates, "templates/*")
})

// render fills in a template.
func render(name string, data any) ([]byte, error) {
	t, err := parsed()
	if err != nil {
		return nil, fmt.Errorf("manifests: %w", err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("manifests: %w", err)
	}
	return b.Bytes(), nil
}

// unit is what unit templates see.
type unit struct {
	Service
	Args []string
	// StopSeconds is how long a stop may take.
	StopSeconds int
}

func renderUnit(name string, s Service, a args, stop int) (File, error) {
	text, err := render(name, unit{s, a.with(s.ExtraArgs).lines(), stop})
	return File{UnitDir + "/" + name, 0o644, text, Restart}, err
}

// configFile is a component's own configuration in YAML, with the operator's
// settings laid over drover's.
func configFile(path string, ours, extra Object) (File, error) {
	text, err := yaml.Marshal(merge(ours, extra))
	if err != nil {
		return File{}, fmt.Errorf("manifests: %s: %w", path, err)
	}
	return File{path, 0o644, append([]byte(notice), text...), Restart}, nil
}

const notice = "# Written by drover from the inventory; changes made here are undone.\n"

// merge lays over on base: maps are merged at every depth, anything else is
// replaced whole. A nil takes a setting away, so that the component's own
// default applies.
func merge(base, over Object) Object {
	out := maps.Clone(base)
	if out == nil {
		out = Object{}
	}
	for k, v := range over {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case Object:
			below, _ := out[k].(Object)
			out[k] = merge(below, v)
		default:
			out[k] = v
		}
	}
	return out
}

// collect gathers files, the first error wins.
func collect(fs ...func() (File, error)) ([]File, error) {
	out := make([]File, 0, len(fs))
	for _, f := range fs {
		file, err := f()
		if err != nil {
			return nil, err
		}
		out = append(out, file)
	}
	return out, nil
}

// fixed is a template without anything to fill in.
func fixed(template, path string, e Effect) (File, error) {
	text, err := render(template, nil)
	return File{path, 0o644, text, e}, err
}
