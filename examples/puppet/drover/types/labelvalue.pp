# The value of a Kubernetes label.
type Drover::Labelvalue = Pattern[/\A[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\z/]
