# One key of the `ssh` fact.
type Drover::Hostkey = Struct[{
    type          => Pattern[/\A(ssh|ecdsa|sk)-[a-z0-9@.-]+\z/],
    key           => Pattern[/\A[A-Za-z0-9+\/]+={0,2}\z/],
    Optional[fingerprints] => Hash[String, String],
    Optional[name]         => String,
}]
