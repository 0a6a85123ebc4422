# An absolute path.
type Drover::Path = Pattern[/\A(\/[^\/\0\n]+)+\z/]
