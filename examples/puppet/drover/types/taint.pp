# A taint of a Kubernetes node: KEY[=VALUE]:EFFECT.
type Drover::Taint = Pattern[/\A[-A-Za-z0-9_.\/]+(=[-A-Za-z0-9_.]*)?:(NoSchedule|PreferNoSchedule|NoExecute)\z/]
