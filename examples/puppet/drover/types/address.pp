# An IPv4 address.
type Drover::Address = Pattern[/\A((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!\z)|\z)){4}\z/]
