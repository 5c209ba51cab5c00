package import Domain

/// How a venue's sales become documents.
package enum PostingMode: String, Sendable, Hashable, CaseIterable {
    /// One invoice per completed order, as soon as it completes.
    case perOrder = "per_order"
    /// One invoice per venue and trading day.
    case dailySummary = "daily_summary"
}

/// Which mode holds on which trading day, and when a trading day ends.
package struct PostingPlan: Sendable, Hashable {
    /// What ends a trading day.
    package enum Closing: String, Sendable, Hashable, CaseIterable {
        case cutOff = "cut_off"
        /// Kounta's takings of the day are finalised.
        case takings
    }

    /// By what a summary's lines are split besides account, tax type and tracking.
    package enum Grouping: String, Sendable, Hashable, CaseIterable {
        case category, product, register
        case orderType = "order_type"
    }

    package struct Period: Sendable, Hashable {
        /// The first trading day.
        package var from: CalendarDate
        package var mode: PostingMode

        package init(from: CalendarDate, mode: PostingMode) {
            self.from = from
            self.mode = mode
        }
    }

    /// The mode of the days before the first period.
    package var initial: PostingMode
    /// By `from`, each day once. A change holds from a day's beginning, so no day is ever posted in both modes.
    package var periods: [Period]
    /// Minutes after midnight, where the venue is, at which a trading day ends: 240 = 04:00.
    package var cutOffMinutes: Int
    package var closing: Closing
    /// Where takings close a day: so long after its cut-off a day that nobody counted is closed all the same.
    package var takingsWithin: Duration
    /// Where takings close a day: so long after the last count no order may come. One that comes wants to be counted.
    package var takingsQuiet: Duration
    package var grouping: [Grouping]
    /// Attaches a listing of the day's orders to a summary.
    package var attachesOrders: Bool

    package init(
        initial: PostingMode = .perOrder, periods: [Period] = [], cutOffMinutes: Int = 240, closing: Closing = .cutOff,
        takingsWithin: Duration = .seconds(2 * 86_400), takingsQuiet: Duration = .seconds(3 * 3600),
        grouping: [Grouping] = [], attachesOrders: Bool = false
    ) {
        self.initial = initial
        self.periods = periods.sorted { $0.from < $1.from }
        self.cutOffMinutes = cutOffMinutes
        self.closing = closing
        self.takingsWithin = takingsWithin
        self.takingsQuiet = takingsQuiet
        self.grouping = grouping
        self.attachesOrders = attachesOrders
    }

    /// Whether any day was, is or will be posted as a summary.
    package var knowsSummaries: Bool { initial == .dailySummary || periods.contains { $0.mode == .dailySummary } }

    /// Whether any trading day may become a document: as a summary, or for what its tills were over or short. Then what
    /// is counted in them is read, and days are closed.
    ///
    /// - Parameter variance: the account for counted less recorded takings, if there is one.
    package func hasDayDocuments(booking variance: String?) -> Bool { knowsSummaries || variance != nil }

    package func mode(on day: CalendarDate) -> PostingMode {
        periods.last { $0.from <= day }?.mode ?? initial
    }
}

/// What a tracking option can be taken from, besides the venue.
package enum TrackingSource: String, Sendable, Hashable, CaseIterable {
    case register
    case orderType = "order_type"
    case staff
}
