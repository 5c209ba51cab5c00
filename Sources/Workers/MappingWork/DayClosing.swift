package import Domain
package import Logging
import Mapping
package import Messaging
import ServiceLifecycle
package import Settings
package import Store
package import Telemetry

/// Closes trading days that are posted as summaries, and adjusts closed days that changed. Of a day that is posted
/// order by order, the till's variance alone goes this way.
///
/// A day ends at its cut-off on the venue's clock, or when its tills are counted: all that was sold, and nothing more
/// for a while. Then it is `closing`, so that orders still on their way arrive; then its documents are made and stored
/// in one transaction, and announced to the writers like any other. Any number of mappers may run this: a row lock
/// decides who closes a day, and whoever comes second finds it closed.
package struct DayClosing: Service {
    private let store: any DayClosingStore
    private let outbox: any Outbox
    private let depth: any QueueDepth
    private let mapping: MappingInEffect
    /// The first moment whose orders are read: no day ends before.
    private let startFrom: [VenueKey: Instant]
    /// From a day's end to its close, and from a change of a closed day to its adjustment.
    private let delay: Duration
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    /// After so long without takings somebody has forgotten to count the till.
    private static let countedWithin = Duration.seconds(12 * 3600)
    /// Days between two announcements; a mapper that dies between leaves so many for the next to announce.
    private static let announcedTogether = 50

    package init(
        store: any DayClosingStore, outbox: any Outbox, depth: any QueueDepth, mapping: MappingInEffect,
        startFrom: [VenueKey: Instant], delay: Duration, clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.store = store
        self.outbox = outbox
        self.depth = depth
        self.mapping = mapping
        self.startFrom = startFrom
        self.delay = delay
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    /// Between two looks.
    private var interval: Duration { min(max(delay / 4, .milliseconds(250)), .seconds(15)) }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFirst = true
            while !Task.isCancelled {
                do {
                    if isFirst { try await announceWaiting() }
                    isFirst = false
                    try await look()
                } catch {
                    if Task.isCancelled { return }
                    logger.warning("closing days waits: \(error)")
                }
                do { try await clock.sleep(interval) } catch { return }
            }
        }
    }

    /// A mapper killed between a close and its message left documents that nobody was told of. A second message for
    /// what was announced does no harm.
    private func announceWaiting() async throws {
        for organisation in Set(await mapping.venues.values.map(\.organisation)) {
            try await announce(try await store.waitingDayDocuments(of: organisation), organisation)
        }
    }

    /// One look at every venue that posts, or has posted, summaries, or books its till's variance.
    package func look() async throws {
        let current = await mapping.current
        let venues = current.reader.books.filter { $0.value.hasDayDocuments }
        if venues.isEmpty { return }
        // What waits in the queue may belong to a day that has ended.
        let isQueueEmpty = try await depth.waiting(in: .map) == 0
        var overdue = 0
        for (venue, books) in venues.sorted(by: { $0.value.name < $1.value.name }) {
            overdue += try await look(venue, SummaryMapping(books: books), current, isQueueEmpty)
        }
        metrics.set("tillbridge_days_overdue", to: Int64(overdue))
    }

    /// - Returns: how many of the venue's days wait for takings that nobody counted.
    private func look(
        _ venue: VenueKey, _ mapping: SummaryMapping, _ current: MappingInEffect.Current, _ isQueueEmpty: Bool
    ) async throws -> Int {
        let (now, books, calendar) = (clock.now(), mapping.orders.books, mapping.orders.calendar)
        // Everything created before was read; nothing is closed that nobody has read.
        guard let readUntil = try await store.readUntil(of: venue) else { return 0 }
        let today = calendar.day(at: now)
        let ended = today.adding(days: -1)
        try await meetDays(venue, books, calendar, through: ended)
        let known = calendar.day(at: min(readUntil, now).adding(.zero - delay)).adding(days: -1)
        if isQueueEmpty {
            // Of a venue that is read for the first time, years of days are met at once, and their orders are still on
            // their way, or in a mapper's hand where no queue shows them.
            let quiet = try await store.closeQuietDays(
                of: venue, through: known, metBy: now.adding(.zero - delay), at: now)
            if quiet > 0 { metrics.count("tillbridge_days_closed_total", ["sales": "none"], by: quiet) }
        }
        var ending: [DayKey] = []
        var due: [DayKey] = []
        var overdue = 0
        // A venue's days are closed in their order: one whose orders came a moment later holds those after it back.
        var isEarlierOnItsWay = false
        for day in try await store.unfinishedDays(of: venue, through: today) {
            switch day.state {
            case .open:
                let end = end(of: day, books, calendar)
                // One without sales is recorded as such, above, and needs no look at its mapping.
                // What waits in the queue may have been sold after the count.
                let isKnown = books.posting.closing == .cutOff || isQueueEmpty
                if end <= now, end <= readUntil, day.hasSales, isKnown {
                    ending.append(day.key)
                    isEarlierOnItsWay = true
                }
                let isLate = calendar.start(of: day.key.day.adding(days: 1)).adding(Self.countedWithin) < now
                if books.posting.closing == .takings, day.countedAt == nil, day.hasSales, isLate { overdue += 1 }
            case .closing:
                // Something that was sold after the last count came meanwhile: it is counted first.
                let isOver = end(of: day, books, calendar) <= now
                let isDue = isQueueEmpty && day.closingSince.map { $0.adding(delay) <= now } == true
                if isOver, isDue, !isEarlierOnItsWay { due.append(day.key) } else if isOver { isEarlierOnItsWay = true }
            case .closed, .posted:
                if isQueueEmpty, let since = day.changedAt, since.adding(delay) <= now { due.append(day.key) }
            }
        }
        try await close(due, mapping, current)
        try await store.beginClosing(ending, at: now)
        _ = try await store.notePosted(of: venue, at: now)
        return overdue
    }

    /// When a day ends: at its cut-off; or, where takings end it, when all that was sold was counted and nothing more
    /// was sold for a while: a count does not say whether it is the day's last. Never later than the cut-off. One that
    /// nobody counts is not left open for ever. An old day that was read just now has as long as any other: its takings
    /// are read beside it.
    private func end(of day: UnfinishedDay, _ books: VenueBooks, _ calendar: TradingCalendar) -> Instant {
        let cutOff = calendar.start(of: day.key.day.adding(days: 1))
        return switch books.posting.closing {
        case .cutOff: cutOff
        case .takings:
            day.countedAt.map { min($0.adding(books.posting.takingsQuiet), max($0, cutOff)) }
                ?? max(cutOff, day.metAt).adding(books.posting.takingsWithin)
        }
    }

    /// Summary days that have ended are written down also where nothing was sold on them.
    private func meetDays(
        _ venue: VenueKey, _ books: VenueBooks, _ calendar: TradingCalendar, through last: CalendarDate
    ) async throws {
        guard let start = startFrom[venue] else { return }
        let met = await mapping.daysMet(at: venue)
        var day = max(met?.adding(days: 1) ?? calendar.day(at: start), calendar.day(at: start))
        var days: [CalendarDate] = []
        while day <= last {
            if books.posting.mode(on: day) == .dailySummary { days.append(day) }
            day = day.adding(days: 1)
        }
        guard !days.isEmpty || met == nil else { return }
        try await store.meet(days, of: venue, in: books.organisation, named: books.name)
        await mapping.noteDaysMet(through: last, at: venue)
    }

    /// One after the other, and what they come to is announced together: a venue that begins has years of days, and a
    /// confirm for each would take longer than its close.
    private func close(
        _ days: [DayKey], _ mapping: SummaryMapping, _ current: MappingInEffect.Current
    ) async throws {
        let organisation = mapping.orders.books.organisation
        var waits = false
        for start in stride(from: 0, to: days.count, by: Self.announcedTogether) where !waits {
            var made: [DocumentID] = []
            let result: Result<Void, any Error>
            do {
                for key in days[start..<min(start + Self.announcedTogether, days.count)] {
                    // Those after a day that waits are closed after it.
                    guard let documents = try await close(key, mapping, current) else {
                        waits = true
                        break
                    }
                    made += documents
                }
                result = .success(())
            } catch { result = .failure(error) }
            // Also where a later day could not be closed: these are.
            try await announce(made, organisation)
            try result.get()
        }
    }

    /// - Returns: the day's documents, none where another mapper was first; nil where it waits for what is made again.
    private func close(
        _ key: DayKey, _ mapping: SummaryMapping, _ current: MappingInEffect.Current
    ) async throws -> [DocumentID]? {
        let books = mapping.orders.books
        let closed: ClosedDay
        switch try await store.close(key, at: clock.now(), DayMaking(of: mapping, current)) {
        case nil: return []
        case .made(let made): closed = made
        case .waits(let outdated):
            // Sent first: should this mapper die between the two, they are sent once more.
            try await outbox.publish(outdated.flatMap(\.messages))
            try await store.noteTried(outdated, of: key, with: current.version)
            logger.notice(
                "\(key.day) waits: \(outdated.count) of its orders or takings are mapped again",
                metadata: ["venue": "\(books.name)"])
            return nil
        }
        try await outbox.publish(closed.elsewhere.flatMap(\.messages))
        pass(.mapperDayClosed)
        metrics.count("tillbridge_days_closed_total", ["sales": closed.turn == 0 ? "summary" : "adjustment"])
        tell(closed.warnings, of: key, books)
        let what = closed.turn == 0 ? "closed" : "adjusted"
        logger.notice(
            "\(what) \(key.day): \(closed.orders) sales and refunds, \(closed.total) in all",
            metadata: ["venue": "\(books.name)", "documents": "\(closed.documents.count)"])
        return closed.documents
    }

    /// A person looks for the order that is missing, or is one too many. Nothing is held back for it.
    private func tell(_ warnings: [String], of key: DayKey, _ books: VenueBooks) {
        for warning in warnings {
            metrics.count("tillbridge_till_disagreements_total", ["organisation": books.organisation.text])
            logger.warning("till and orders disagree on \(key.day): \(warning)", metadata: ["venue": "\(books.name)"])
        }
    }

    private func announce(_ ids: [DocumentID], _ organisation: OrganisationKey) async throws {
        if ids.isEmpty { return }
        try await outbox.publish(ids.map { id in
            let subject = Envelope.Subject(organisation: organisation, document: id.value)
            return OutgoingMessage(
                queue: .write(organisation), envelope: Envelope(firstSeen: clock.now(), subject: subject),
                body: Array("{\"document\":\(id)}".utf8), messageID: "document/\(id)")
        })
    }
}
