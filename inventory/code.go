package inventory

// The codes of every problem this package reports. They are API: scripts match
// on them and the documentation explains them, so they are never renamed and
// never reused.
const (
	CodeUnreadable         = "inventory-unreadable"
	CodeSyntax             = "inventory-syntax"
	CodeUnknownBlock       = "inventory-unknown-block"
	CodeUnknownAttribute   = "inventory-unknown-attribute"
	CodeDuplicateBlock     = "inventory-duplicate-block"
	CodeDuplicateAttribute = "inventory-duplicate-attribute"
	CodeDuplicateName      = "inventory-duplicate-name"
	CodeDuplicateAddress   = "inventory-duplicate-address"
	CodeBlockName          = "inventory-block-name" // a label missing, or one too many
	CodeMissingAttribute   = "inventory-missing-attribute"
	CodeWrongType          = "inventory-wrong-type"
	CodeExpression         = "inventory-expression"
	CodeSensitive          = "inventory-sensitive"
	CodeEmpty              = "inventory-empty"
	CodeChoice             = "inventory-choice"
	CodeName               = "inventory-name"
	CodeLabel              = "inventory-label"
	CodeAddress            = "inventory-address"
	CodeCIDR               = "inventory-cidr"
	CodeCIDRNotMasked      = "inventory-cidr-not-masked"
	CodeCIDROverlap        = "inventory-cidr-overlap"
	CodeAddressInCIDR      = "inventory-address-in-cidr"
	CodeVersion            = "inventory-version"
	CodeEndpoint           = "inventory-endpoint"
	CodeQuantity           = "inventory-quantity"
	CodeDuration           = "inventory-duration"
	CodeOutOfRange         = "inventory-out-of-range"
	CodeASNumber           = "inventory-as-number"
	CodeBlockSize          = "inventory-block-size"
	CodeBlockSizeTooBig    = "inventory-block-size-too-big" // a block would not fit into the pod network
	CodeSeveralClusters    = "inventory-several-clusters"
	CodeNoCluster          = "inventory-no-cluster"
	CodeNoMasters          = "inventory-no-masters"
	CodeUnknownMaster      = "inventory-unknown-master"
	CodeUnlistedMaster     = "inventory-unlisted-master"
	CodeNotPinned          = "inventory-not-pinned"
	CodeRouteReflectors    = "inventory-route-reflectors"
	CodeWaiver             = "inventory-waiver" // of a check or a host there is not, or told twice
	CodeThreshold          = "inventory-threshold"
	CodeDate               = "inventory-date"
	CodeWait               = "inventory-wait" // a wait for what drover does itself
	CodeURL                = "inventory-url"
	CodeHostKey            = "inventory-host-key"
	CodeTaint              = "inventory-taint"
	CodeFlag               = "inventory-flag"
	CodeModelled           = "inventory-modelled" // a free setting that has an attribute of its own
	CodeForEach            = "inventory-for-each"
	CodeVariableType       = "inventory-variable-type"
	CodeVariableUnset      = "inventory-variable-unset"
	CodeUnknownVariable    = "inventory-unknown-variable"
	CodeCircle             = "inventory-circle"
	CodeCertname           = "inventory-certname"
	CodeFact               = "inventory-fact" // a path that leads to no fact
)
