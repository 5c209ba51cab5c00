package import Domain
package import Mapping

/// What one order, or the takings of a day, has in a day, made with another mapping than the one in effect.
package struct OutdatedEntries: Sendable {
    package var key: DayKey
    /// The order's id, or what stands for the day's takings.
    package var sourceID: String
    /// As the till has it: the order's newest version, or all takings of the day; none where they were pruned.
    package var records: [DayRecord]
    /// All that it has in the day.
    package var entries: [DayEntry]
}

/// A stored record, as it goes through the mapper again.
package struct DayRecord: Sendable {
    package var source: SourceKey
    package var body: [UInt8]
    package var firstSeen: Instant
}

/// What the mapping in effect makes of outdated entries.
package enum Remade: Sendable {
    /// In their place: of the same day, documents and amounts.
    case entries([DayEntry])
    /// More than that: another day, another amount, a document of its own, nothing at all, or a letter for the desk.
    /// Decided as of any record: by the mapper.
    case elsewhere
    /// There is nothing to make them of.
    case kept
}

/// What the look at a day came to.
package enum DayClose: Sendable {
    case made(ClosedDay)
    /// These are to go through the mapper before the day is closed.
    case waits(for: [OutdatedEntries])
}

/// What became of a day's document that was sent from the desk.
package struct RepostedDay: Sendable {
    /// Writers are to be told of these.
    package var documents: [DocumentID] = []
    /// These keep what they had, and are to go through the mapper.
    package var elsewhere: [OutdatedEntries] = []
}

/// How a day's documents are made; both are pure and may be called again.
package struct DayMaking: Sendable {
    package var mappingVersion: Int64
    /// Whether the day's orders are asked for as they came.
    package var withOrders: Bool
    package var again: @Sendable (OutdatedEntries) -> Remade
    package var decide: @Sendable (DayContents) -> DayDecision

    package init(
        mappingVersion: Int64, withOrders: Bool, again: @escaping @Sendable (OutdatedEntries) -> Remade,
        decide: @escaping @Sendable (DayContents) -> DayDecision
    ) {
        self.mappingVersion = mappingVersion
        self.withOrders = withOrders
        self.again = again
        self.decide = decide
    }
}
