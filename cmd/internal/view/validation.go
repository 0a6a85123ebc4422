package view

import (
	"fmt"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/inventory/diag"
	"github.com/droverctl/drover/provision"
)

// Validation is what validate found.
type Validation struct {
	Cluster  *inventory.Cluster // nil: it could not be read
	Problems diag.Problems
	Capacity []provision.CapacityCheck
}

type validationJSON struct {
	SchemaVersion int                      `json:"schema_version"`
	Cluster       string                   `json:"cluster,omitempty"`
	Valid         bool                     `json:"valid"` // the inventory; capacity is judged apart
	Problems      []problem                `json:"problems"`
	Capacity      []capacityJSON           `json:"capacity"`
	Worst         provision.CapacityStatus `json:"capacity_worst,omitempty"`
}

// capacityJSON puts the place beside the check as the problems have it.
type capacityJSON struct {
	provision.CapacityCheck
	At string `json:"at,omitempty"` // file:line:column
}

// Validation shows what validate found: problems as messages, the rest as data.
func (v View) Validation(found Validation, f Format) error {
	if f == JSON {
		return v.json(validationDocument(found))
	}
	problems := append(diag.Problems{}, found.Problems...)
	if found.Cluster != nil {
		judged := provision.CapacityProblems(found.Capacity)
		found.Cluster.Quote(judged)
		problems = append(problems, judged...)
	}
	v.Problems(problems)
	if found.Cluster == nil || found.Problems.HasErrors() {
		return nil
	}
	if len(problems) > 0 { // a line between messages and the verdict, on a terminal that shows both
		fmt.Fprintln(v.Err)
	}
	return v.Line(verdict(found))
}

func verdict(found Validation) string {
	c := found.Cluster
	return fmt.Sprintf("cluster %s: %s, %s, %s; the inventory is valid; capacity: %s",
		c.Name, count(len(c.KubeMasters), "master"), count(len(c.KubeNodes), "node"), count(len(c.BigIPs), "BIG-IP"), capacityCounts(found.Capacity))
}

func validationDocument(found Validation) validationJSON {
	doc := validationJSON{
		SchemaVersion: 1, Valid: !found.Problems.HasErrors(),
		Problems: problemsJSON(found.Problems), Capacity: []capacityJSON{},
	}
	if found.Cluster == nil {
		return doc
	}
	doc.Cluster, doc.Worst = found.Cluster.Name, provision.CapacityWorst(found.Capacity)
	doc.Capacity = capacityChecksJSON(found.Capacity)
	return doc
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
