/// Everything a simulator starts with. Time and randomness are parameters too, so that a run can be repeated.
package struct SimulatorSettings: Sendable {
    package var organisations: [OrganisationSettings]
    /// Empty accepts any client.
    package var clients: [Client]
    package var limits: LimitScale
    /// Calls a minute over all organisations of the app.
    package var appMinuteLimit: Int
    /// How long first answers are kept by idempotency key, and how much of them an organisation keeps at most.
    package var idempotencySeconds: Int
    package var idempotencyMegabytes: Int
    /// How long an access token is good for.
    package var accessSeconds: Int
    package var seed: UInt64
    /// Milliseconds since 1970.
    package var now: @Sendable () -> Int64

    package init(
        organisations: [OrganisationSettings], clients: [Client] = [], limits: LimitScale = .real,
        appMinuteLimit: Int = 10_000, idempotencySeconds: Int = 360, idempotencyMegabytes: Int = 128,
        accessSeconds: Int = 1800, seed: UInt64 = 1,
        now: @escaping @Sendable () -> Int64 = wallClock
    ) {
        self.organisations = organisations
        self.clients = clients
        self.limits = limits
        self.appMinuteLimit = appMinuteLimit
        self.idempotencySeconds = idempotencySeconds
        self.idempotencyMegabytes = idempotencyMegabytes
        self.accessSeconds = accessSeconds
        self.seed = seed
        self.now = now
    }
}
