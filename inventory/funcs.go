package inventory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// mark is what a cty value may carry along through every expression it is part of.
type mark string

const sensitive mark = "sensitive"

// scope is what an expression can refer to. Each file has its own, because
// functions read relative to the file; var, local and a row's each are its
// variables.
type scope struct {
	eval   *hcl.EvalContext
	dir    string // relative paths count from here
	broken bool   // the file does not parse: what is missing from it may stand there
}

func newScope(dir string, broken bool) scope {
	return scope{&hcl.EvalContext{Functions: functions(dir)}, dir, broken}
}

func functions(dir string) map[string]function.Function {
	return map[string]function.Function{
		"file":         fileFunc(dir),
		"env":          envFunc(),
		"sensitive":    sensitiveFunc(),
		"nonsensitive": nonsensitiveFunc(),
		"cidrhost":     cidrHostFunc(),
		"cidrsubnet":   cidrSubnetFunc(),
		"format":       formatFunc(),
		"concat":       stdlib.ConcatFunc,
		"distinct":     stdlib.DistinctFunc,
		"flatten":      stdlib.FlattenFunc,
		"join":         stdlib.JoinFunc,
		"keys":         stdlib.KeysFunc,
		"length":       stdlib.LengthFunc,
		"lookup":       stdlib.LookupFunc,
		"lower":        stdlib.LowerFunc,
		"merge":        stdlib.MergeFunc,
		"range":        stdlib.RangeFunc,
		"replace":      stdlib.ReplaceFunc,
		"sort":         stdlib.SortFunc,
		"split":        stdlib.SplitFunc,
		"try":          tryfunc.TryFunc,
		"toset":        stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tonumber":     stdlib.MakeToFunc(cty.Number),
		"tostring":     stdlib.MakeToFunc(cty.String),
		"trimspace":    stdlib.TrimSpaceFunc,
		"upper":        stdlib.UpperFunc,
		"values":       stdlib.ValuesFunc,
	}
}

// functionFix is the next step when a function fails.
func functionFix(name string) string {
	switch name {
	case "file":
		return "correct the path (relative to the inventory file's own directory), or let this user read the file"
	case "env":
		return "set the variable before running drover"
	case "tonumber":
		return "give it a text of digits"
	case "cidrhost":
		return `write cidrhost("10.90.0.0/24", 11)`
	case "cidrsubnet":
		return `write cidrsubnet("10.100.0.0/16", 2, 1)`
	}
	return ""
}

func stringFunc(param string, impl func(string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return impl(args[0].AsString()) },
	})
}

func fileFunc(dir string) function.Function {
	return stringFunc("path", func(path string) (cty.Value, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		b, err := readFile(path)
		if err != nil {
			return cty.UnknownVal(cty.String), err
		}
		return cty.StringVal(string(b)).Mark(sensitive), nil
	})
}

func envFunc() function.Function {
	return stringFunc("name", func(name string) (cty.Value, error) {
		v, ok := os.LookupEnv(name)
		if !ok {
			return cty.UnknownVal(cty.String), fmt.Errorf("the environment variable %s is not set", name)
		}
		return cty.StringVal(v).Mark(sensitive), nil
	})
}

func sensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0].Mark(sensitive), nil },
	})
}

func nonsensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, _ := args[0].UnmarkDeep()
			return v, nil
		},
	})
}

var hugeWidth = regexp.MustCompile(`%[^a-zA-Z%]*[0-9]{4}`)

// formatFunc is the library's, without the widths that would fill the memory.
func formatFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "format", Type: cty.String}},
		VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if hugeWidth.MatchString(args[0].AsString()) {
				return cty.UnknownVal(cty.String), errors.New("a width of 1000 or more")
			}
			return stdlib.Format(args[0], args[1:]...)
		},
	})
}

// cidrHostFunc is an address of a network by its number; a negative number
// counts from the end.
func cidrHostFunc() function.Function {
	return networkFunc([]string{"number"}, func(network netip.Prefix, n []int64) (string, error) {
		size := int64(1) << (32 - network.Bits())
		number := n[0]
		if number < 0 {
			number += size
		}
		if number < 0 || number >= size {
			return "", fmt.Errorf("%s has no address number %d", network, n[0])
		}
		return offset(network.Addr(), number).String(), nil
	})
}

// cidrSubnetFunc is a network within a network: so many bits longer, this number.
func cidrSubnetFunc() function.Function {
	return networkFunc([]string{"newbits", "number"}, func(network netip.Prefix, n []int64) (string, error) {
		if n[0] < 0 || n[0] > int64(32-network.Bits()) {
			return "", fmt.Errorf("%s cannot be extended by %d bits", network, n[0])
		}
		bits := int64(network.Bits()) + n[0]
		if n[1] < 0 || n[1] >= 1<<n[0] {
			return "", fmt.Errorf("%s has no subnet number %d of /%d", network, n[1], bits)
		}
		return netip.PrefixFrom(offset(network.Addr(), n[1]<<(32-bits)), int(bits)).String(), nil
	})
}

func networkFunc(params []string, impl func(netip.Prefix, []int64) (string, error)) function.Function {
	spec := &function.Spec{
		Params: []function.Parameter{{Name: "network", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			unknown := cty.UnknownVal(cty.String)
			network, err := netip.ParsePrefix(args[0].AsString())
			if err != nil || !network.Addr().Is4() {
				return unknown, fmt.Errorf("%q is not an IPv4 network", args[0].AsString())
			}
			var n []int64
			for i, a := range args[1:] {
				v, accuracy := a.AsBigFloat().Int64()
				if accuracy != 0 {
					return unknown, fmt.Errorf("%s must be a whole number", params[i])
				}
				n = append(n, v)
			}
			s, err := impl(network.Masked(), n)
			if err != nil {
				return unknown, err
			}
			return cty.StringVal(s), nil
		},
	}
	for _, p := range params {
		spec.Params = append(spec.Params, function.Parameter{Name: p, Type: cty.Number})
	}
	return function.New(spec)
}

// offset is the IPv4 address n after a; the caller keeps it within the space.
func offset(a netip.Addr, n int64) netip.Addr {
	b := a.As4()
	binary.BigEndian.PutUint32(b[:], uint32(int64(binary.BigEndian.Uint32(b[:]))+n))
	return netip.AddrFrom4(b)
}
