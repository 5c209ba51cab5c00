package import Domain
package import Mapping
package import Money
package import Settings

/// A venue's trading day.
package struct DayKey: Sendable, Hashable, CustomStringConvertible {
    package let company: CompanyKey
    package let site: SiteID
    package let day: CalendarDate

    package init(company: CompanyKey, site: SiteID, day: CalendarDate) {
        self.company = company
        self.site = site
        self.day = day
    }

    package var description: String { "\(day) of site \(site), company \(company)" }
    /// What documents of the day are made of.
    package var source: SourceKey { SourceKey(company: company, kind: .day, id: "\(site)/\(day)") }
}

/// What the mapper stores of orders that go into a day's summary.
package protocol DayStore: Sendable {
    /// Takes versions of orders into their days, in one transaction. Doing it again changes nothing. A day that is
    /// closed is marked as changed where what belongs to it is no longer what its documents say.
    func takeIn(_ orders: [DayOrder], at moment: Instant) async throws -> [SourceKey: DayOrder.Outcome]
    /// Which of these orders are inside of a summary.
    func ordersInSummaries(among sources: [SourceKey]) async throws -> Set<SourceKey>
    /// Stores takings, and what all takings of their day come to now; where they were of another day before, also what
    /// is left of that one.
    ///
    /// - Parameter entries: of all takings of a day, by their bodies; pure.
    func takeIn(
        _ takings: DayTakings, at moment: Instant, _ entries: @Sendable (DayKey, [[UInt8]]) throws -> [DayEntry]
    ) async throws
    /// Has a day's document that was sent from the desk ready for its writers. One that the ledger refused is made
    /// anew, under its number, of the day's records, as far as no later document of the day builds on it; a payment
    /// that was refused goes to the account that the mapping in effect names. Anything else stays as it is.
    func repost(
        _ document: DocumentID, of key: DayKey, at moment: Instant, _ making: DayMaking
    ) async throws -> RepostedDay
    /// Closes letters whose record was dealt with without a document of its own.
    func settle(_ replays: [SettledReplay]) async throws
    /// Stores why records are nowhere in the books.
    func keepSkips(_ skips: [SkippedRecord]) async throws
    /// Agrees with all other mappers on the mode of each day: what was agreed on for days until `today` stays, the plan
    /// decides about the days after.
    func agreed(_ plan: PostingPlan, of venue: VenueKey, today: CalendarDate) async throws -> PostingPlan
}

/// A version of an order that belongs to a day's summary, or that has left it.
package struct DayOrder: Sendable {
    package enum Outcome: Sendable, Hashable {
        case taken
        /// A newer version was seen before.
        case stale
        /// It has a document of its own, and stays that way.
        case postedByItself
        /// It gives back more than is left of its sale: the day has what it had before.
        case beyondSale(sold: Money, left: Money)
    }

    /// The sale that a refund order gives back.
    package struct Sale: Sendable, Hashable {
        package var id: OrderID
        /// What a document of its own would be called.
        package var number: DocumentNumber
        /// The same, had one of the company's other venues sold it.
        package var otherNumbers: [DocumentNumber]

        package init(id: OrderID, number: DocumentNumber, otherNumbers: [DocumentNumber] = []) {
            self.id = id
            self.number = number
            self.otherNumbers = otherNumbers
        }
    }

    package var source: SourceKey
    package var hash: ContentHash
    package var body: [UInt8]
    package var firstSeen: Instant?
    package var organisation: OrganisationKey
    package var venue: String
    package var site: SiteID
    package var plan: PostingPlan
    /// What a document of its own would be called.
    package var number: DocumentNumber
    /// One a document of the order's; none where it was deleted.
    package var entries: [DayEntry]
    package var givesBack: Sale?
    /// It has become a sale that stands alone: whatever was in a summary is taken out, and the order is free.
    package var leaves: Bool
    /// A rule leaves it out: what no document holds is taken out, what was booked is left as it is.
    package var isLeftOut = false
    /// The mapping that made its entries.
    package var mappingVersion: Int64?
    /// When it last added something to each of its days; a day that is missing: not known.
    package var madeAt: [CalendarDate: Instant] = [:]
    package var register: String?
    package var staff: String?

    package init(
        source: SourceKey, hash: ContentHash, body: [UInt8], firstSeen: Instant?, organisation: OrganisationKey,
        venue: String, site: SiteID, plan: PostingPlan, number: DocumentNumber, entries: [DayEntry],
        givesBack: Sale? = nil, leaves: Bool = false
    ) {
        self.source = source
        self.hash = hash
        self.body = body
        self.firstSeen = firstSeen
        self.organisation = organisation
        self.venue = venue
        self.site = site
        self.plan = plan
        self.number = number
        self.entries = entries
        self.givesBack = givesBack
        self.leaves = leaves
    }
}

package struct DayTakings: Sendable {
    package var key: DayKey
    package var id: String
    package var hash: ContentHash
    package var body: [UInt8]
    package var countedAt: Instant
    package var firstSeen: Instant
    package var organisation: OrganisationKey
    package var venue: String
    package var mode: PostingMode
    /// Somebody has marked them as carried to the ledger.
    package var isProcessed = false
    package var scope = TakingsScope.site
    /// The mapping that makes the day's entries.
    package var mappingVersion: Int64?

    package init(
        key: DayKey, id: String, hash: ContentHash, body: [UInt8], countedAt: Instant, firstSeen: Instant,
        organisation: OrganisationKey, venue: String, mode: PostingMode
    ) {
        self.key = key
        self.id = id
        self.hash = hash
        self.body = body
        self.countedAt = countedAt
        self.firstSeen = firstSeen
        self.organisation = organisation
        self.venue = venue
        self.mode = mode
    }
}

/// A letter's record that has found its place, and which.
package struct SettledReplay: Sendable {
    package let mark: LetterMark
    package let outcome: String

    package init(mark: LetterMark, outcome: String) {
        self.mark = mark
        self.outcome = outcome
    }
}

/// A record that a rule leaves out of the books.
package struct SkippedRecord: Sendable, Hashable {
    package var source: SourceKey
    package var hash: ContentHash
    package var rule: String
    package var reason: String
    package var mappingVersion: Int64

    package init(source: SourceKey, hash: ContentHash, rule: String, reason: String, mappingVersion: Int64) {
        self.source = source
        self.hash = hash
        self.rule = rule
        self.reason = reason
        self.mappingVersion = mappingVersion
    }
}

// MARK: closing

/// What the closing of days needs.
package protocol DayClosingStore: Sendable {
    /// Days of a venue that wait for something: open and ended, closing, or changed after their close.
    func unfinishedDays(of venue: VenueKey, through day: CalendarDate) async throws -> [UnfinishedDay]
    /// Records that these days were: the ones that are known already stay as they are.
    func meet(_ days: [CalendarDate], of venue: VenueKey, in organisation: OrganisationKey, named name: String)
        async throws
    /// Records open days without any sale as such, through a day; those that were known by `metBy`.
    /// - Returns: how many.
    func closeQuietDays(
        of venue: VenueKey, through day: CalendarDate, metBy known: Instant, at moment: Instant) async throws -> Int
    func beginClosing(_ days: [DayKey], at moment: Instant) async throws
    /// Closes a day, or adjusts one that is closed, in one transaction: whoever comes second finds it done. What is to
    /// be booked and was made with another mapping than the one in effect is made again first; what is booked stays.
    ///
    /// - Returns: nil where there was nothing to do, or another mapper is at it.
    func close(_ key: DayKey, at moment: Instant, _ making: DayMaking) async throws -> DayClose?
    /// These went to the mapper to be made with this mapping: what it leaves of them as it is, the day takes as it is.
    func noteTried(_ outdated: [OutdatedEntries], of key: DayKey, with version: Int64) async throws
    /// Days whose documents all stand in the ledger are posted.
    /// - Returns: how many.
    func notePosted(of venue: VenueKey, at moment: Instant) async throws -> Int
    /// Documents of days that wait for a writer: their message may have been lost with a mapper that died.
    func waitingDayDocuments(of organisation: OrganisationKey) async throws -> [DocumentID]
    /// The moment through which the venue's orders were read; nil where nobody ever read them.
    func readUntil(of venue: VenueKey) async throws -> Instant?
}

package struct UnfinishedDay: Sendable, Hashable {
    package enum State: String, Sendable, Hashable { case open, closing, closed, posted }

    package var key: DayKey
    package var state: State
    package var closingSince: Instant?
    /// Since when a closed day's documents no longer say what belongs to it.
    package var changedAt: Instant?
    package var hasSales: Bool
    /// When all that was sold on it, as far as it is known, had been counted; nil: not yet.
    package var countedAt: Instant?
    /// Since when the fleet knows of it.
    package var metAt: Instant
}

/// What belongs to a day, and what its documents say of it.
package struct DayContents: Sendable {
    package var key: DayKey
    /// 0: the day is to be closed; else the number of the adjustment.
    package var turn: Int
    package var booked: [DayEntry]
    package var now: [DayEntry]
    package var locks: LedgerLocks
    /// The newest versions of the orders that differ, where they were asked for.
    package var orders: [[UInt8]]
    /// What was counted in the day's tills, where nothing that was sold is left to count.
    package var takings: [[UInt8]] = []
}

package struct DayDecision: Sendable {
    package var documents: [NewDocument]
    /// A listing for the first document.
    package var listing: NewAttachment?
    /// Sales and refunds of the day, and what they come to.
    package var orders: Int
    package var total: Money
    /// Where the till and the day's orders disagree: for people.
    package var warnings: [String] = []

    package init(documents: [NewDocument], listing: NewAttachment?, orders: Int, total: Money) {
        self.documents = documents
        self.listing = listing
        self.orders = orders
        self.total = total
    }
}

package struct NewAttachment: Sendable {
    /// The file's name, unique for its document.
    package var name: String
    package var mediaType: String
    package var body: [UInt8]

    package init(name: String, mediaType: String, body: [UInt8]) {
        self.name = name
        self.mediaType = mediaType
        self.body = body
    }
}

package struct ClosedDay: Sendable {
    /// Those of the decision.
    package var warnings: [String] = []
    package let turn: Int
    package let documents: [DocumentID]
    package let orders: Int
    package let total: Money
    /// These keep what they had, and are to go through the mapper.
    package var elsewhere: [OutdatedEntries] = []
}
