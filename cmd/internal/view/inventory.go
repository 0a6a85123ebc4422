package view

import (
	"github.com/droverctl/drover/inventory"
)

// inventoryJSON is the inventory as JSON; its schema is inventory.Cluster's.
type inventoryJSON struct {
	SchemaVersion int                `json:"schema_version"`
	Cluster       *inventory.Cluster `json:"cluster"`
}

// Inventory shows an inventory resolved. As text it is HCL.
func (v View) Inventory(c *inventory.Cluster, f Format) error {
	if f != JSON {
		_, err := v.Out.Write(inventoryHCL(c))
		return err
	}
	shown := *c // lists that are empty are shown as such, not as null
	shown.Masters = list(shown.Masters)
	shown.BigIPs = list(shown.BigIPs)
	shown.KubeMasters = list(shown.KubeMasters)
	shown.KubeNodes = list(shown.KubeNodes)
	return v.json(inventoryJSON{1, &shown})
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
