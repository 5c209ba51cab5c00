/// What a person may be needed for. The raw value stands in the database, in metrics and in commands.
package enum AlertKind: String, Sendable, Hashable, CaseIterable {
    /// Letters of one cause lie on the desk.
    case deadLetterGroup = "dead_letter_group"
    /// A venue sends no orders although it is open.
    case venueSilent = "venue_silent"
    /// Documents of a day that ended long ago are not in the ledger.
    case dayNotPosted = "day_not_posted"
    /// A connection is dead, or an organisation was disconnected in Xero.
    case connectionDead = "connection_dead"
    /// A refresh token nobody used for long: it dies soon.
    case refreshTokenOld = "refresh_token_old"
    /// Most of what Xero allows an organisation in a day is used.
    case dayBudget = "day_budget"
    /// Nobody takes dead letters onto the desk.
    case handlerDown = "handler_down"
    /// Work waits longer than it should.
    case queueAge = "queue_age"
    /// A venue's cursor does not move: the poller is dead, or stuck, and nobody said so.
    case syncSilent = "sync_silent"
}
