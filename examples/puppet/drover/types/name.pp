# The name of a host in drover's inventory: a DNS label.
type Drover::Name = Pattern[/\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\z/]
