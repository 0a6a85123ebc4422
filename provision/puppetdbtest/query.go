package puppetdbtest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// query is a question in AST that was understood.
type query struct {
	fields []string // that are asked for; all when nil
	states []string // node_state
	where  func(row map[string]any) bool
}

// entities are the fields that each has.
var entities = map[string][]string{
	"inventory": {"certname", "timestamp", "environment", "facts", "trusted"},
	"nodes": {"certname", "deactivated", "expired", "facts_timestamp", "catalog_timestamp", "report_timestamp", "facts_environment",
		"catalog_environment", "report_environment", "latest_report_status", "latest_report_noop", "latest_report_noop_pending",
		"latest_report_hash", "latest_report_corrective_change", "latest_report_job_id", "cached_catalog_status"},
}

// parse understands a part of the language, and refuses the rest of it.
func parse(entity string, ast any) (*query, error) {
	q := &query{where: func(map[string]any) bool { return true }}
	if ast == nil {
		return q, nil
	}
	list, ok := ast.([]any)
	if ok && len(list) > 0 && list[0] == "extract" {
		if len(list) < 2 || len(list) > 3 {
			return nil, fmt.Errorf("extract takes one or two arguments, not %d", len(list)-1)
		}
		fields, ok := list[1].([]any)
		if !ok {
			return nil, fmt.Errorf("extract wants a list of fields, not %v", list[1])
		}
		for _, f := range fields {
			name, ok := f.(string)
			if !ok || !hasField(entity, name) {
				return nil, fmt.Errorf("can't extract unknown '%s' field '%v'", entity, f)
			}
			q.fields = append(q.fields, name)
		}
		if len(list) == 2 {
			return q, nil
		}
		ast = list[2]
	}
	var err error
	q.where, err = q.clause(entity, ast)
	return q, err
}

// hasField reports whether an entity has a field; facts and trusted have what is below
// them by dots.
func hasField(entity, name string) bool {
	top, _, dotted := strings.Cut(name, ".")
	return slices.Contains(entities[entity], top) && (!dotted || entity == "inventory" && (top == "facts" || top == "trusted"))
}

func (q *query) clause(entity string, ast any) (func(map[string]any) bool, error) {
	list, ok := ast.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%v is no query", ast)
	}
	op, rest := list[0], list[1:]
	switch op {
	case "and", "or":
		var parts []func(map[string]any) bool
		for _, inner := range rest {
			part, err := q.clause(entity, inner)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		return func(row map[string]any) bool {
			for _, p := range parts {
				if p(row) != (op == "and") {
					return op != "and"
				}
			}
			return op == "and"
		}, nil
	case "=", "in":
		if len(rest) != 2 {
			return nil, fmt.Errorf("%v takes two arguments, not %d", op, len(rest))
		}
		name, ok := rest[0].(string)
		if !ok {
			return nil, fmt.Errorf("%v is no field", rest[0])
		}
		if op == "=" && name == "node_state" {
			q.states = append(q.states, fmt.Sprint(rest[1]))
			return func(map[string]any) bool { return true }, nil
		}
		if !hasField(entity, name) {
			return nil, fmt.Errorf("'%s' is not a queryable object for %s", name, entity)
		}
		values := []any{rest[1]}
		if op == "in" {
			array, ok := rest[1].([]any)
			if !ok || len(array) != 2 || array[0] != "array" {
				return nil, fmt.Errorf("in wants an array, not %v", rest[1])
			}
			if values, ok = array[1].([]any); !ok {
				return nil, fmt.Errorf("array wants a list, not %v", array[1])
			}
		}
		return func(row map[string]any) bool {
			have, ok := dig(row, name)
			return ok && slices.ContainsFunc(values, func(v any) bool { return reflect.DeepEqual(have, v) })
		}, nil
	}
	return nil, fmt.Errorf("%v is not a valid operator", op)
}

// wants reports whether a node's state is asked for: active ones are, unless it is said.
func (q *query) wants(active bool) bool {
	states := q.states
	if states == nil {
		states = []string{"active"}
	}
	for _, s := range states {
		if s == "active" && !active || s == "inactive" && active || !slices.Contains([]string{"active", "inactive", "any"}, s) {
			return false
		}
	}
	return true
}

// project is what is asked for of a row. What is below facts or trusted has its whole
// path as its key.
func (q *query) project(row map[string]any) map[string]any {
	if q.fields == nil {
		return row
	}
	out := map[string]any{}
	for _, name := range q.fields {
		out[name], _ = dig(row, name)
	}
	return out
}

func dig(row map[string]any, path string) (any, bool) {
	var at any = row
	for _, key := range strings.Split(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = m[key]; !ok {
			return nil, false
		}
	}
	return at, true
}
