package import Domain

/// By which way an order reaches the ledger. One value, so an order can never go both ways.
package enum PostingRoute: String, Sendable, Hashable, CaseIterable {
    /// Documents of its own.
    case order
    /// Inside of its trading day's summary.
    case summary

    /// - Parameters:
    ///   - day: the order's trading day.
    ///   - standsAlone: as ``OrderMapping/standsAlone(_:)`` says: a customer's own invoice in either mode.
    ///   - posted: the way the order was posted before, if it was. It stays that way, even where the plan was changed
    ///     for a day that is already booked or the order moved to another day.
    package static func route(
        on day: CalendarDate, standsAlone: Bool, posted: PostingRoute?, plan: PostingPlan
    ) -> PostingRoute {
        if standsAlone { return .order }
        if let posted { return posted }
        return switch plan.mode(on: day) {
        case .perOrder: .order
        case .dailySummary: .summary
        }
    }
}
