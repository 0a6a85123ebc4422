# The name in a host's certificate, also good as the name of a file.
type Drover::Certname = Pattern[/\A[a-z0-9]([a-z0-9._-]{0,248}[a-z0-9])?\z/]
