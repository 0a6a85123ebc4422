# Where Puppet fetches a file from.
type Drover::Source = Pattern[/\A(puppet|https?|file):\/\/\S+\z/, /\A\/\S+\z/]
