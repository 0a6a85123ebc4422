# The key of a Kubernetes label, with or without a domain before it.
type Drover::Labelkey = Pattern[/\A([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\z/]
