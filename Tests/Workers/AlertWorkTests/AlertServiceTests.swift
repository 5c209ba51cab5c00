import AlertWork
import Alerting
import Domain
import Foundation
import HTTP
import JSON
import Logging
import Messaging
import Notices
import Peers
import Postgres
import Settings
import Store
import Telemetry
import Testing
import Threads

private let databaseURL = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]

/// Facts out of a real database, decided upon at moments of the test's own choice, delivered to a real receiver.
@Suite(
    "a look and what follows",
    .enabled(
        if: databaseURL != nil && NoticeReceiver.isThere,
        "TILLBRIDGE_TEST_DATABASE_URL is not set, or python3 and openssl are missing"), .timeLimit(.minutes(2)))
struct AlertServiceTests {
    private static let yaml = """
        organisations:
          - key: harbour
            name: Harbour Hospitality
            currency: AUD
            timezone: UTC
            accounts: {sales: "230", tips: "825", rounding: "860"}
            taxes: {"0.1": OUTPUT}
            payment_methods: {Cash: "231"}
        companies:
          - key: harbour
            kounta_company: "162"
            organisation: harbour
            start_from: 2026-07-01
            venues:
              - {site: "923", name: Harbour Bistro, prefix: HBR}
        alerts:
          quiet_hours: 22:00-07:00
          group_after: 1m
          queue_age: 30m
          give_up_after: 1h
          keep_resolved: 2d
          channels:
            - {name: duty, kind: webhook}

        """

    /// The broker's queues as the test says they are.
    private struct MemoryBroker: QueueLook {
        let map: Locked<QueueState>
        /// Harbour's writers'.
        let write: Locked<QueueState>

        func name(of queue: QueueName) -> String { queue.text(prefix: "t") }
        func look(at queues: [QueueName]) async throws -> [QueueName: QueueState] {
            let states = [
                QueueName.map: map.withLock { $0 }, .write(OrganisationKey("harbour")): write.withLock { $0 },
            ]
            return queues.reduce(into: [:]) { $0[$1] = states[$1] ?? QueueState(waiting: 0, consumers: 0) }
        }
    }

    private struct Watch {
        let pool: PostgresPool
        let store: PostgresStore
        let service: AlertService
        let lease: Lease
        let receiver: NoticeReceiver
        let now: Locked<Instant>
        let map: Locked<QueueState>
        let write: Locked<QueueState>
        let metrics: Metrics
        var memory: AlertLook.Memory

        /// A look at a moment of 2026-11-25, and whatever is due by then.
        mutating func look(_ time: String) async throws {
            let moment = try #require(Instant(iso8601: "2026-11-\(time):00Z"))
            now.withLock { $0 = moment }
            try await service.lookAndDecide(&memory, lease)
            // One message a channel and tick.
            for _ in 0..<3 { try await service.deliver() }
        }

        /// The alert of the desk's letters, as people see it listed.
        func letters() async throws -> PostgresStore.ListedAlert {
            try #require(
                try await store.listedAlerts(closedToo: false).first { $0.concern.kind == .deadLetterGroup })
        }

        func heard() throws -> [String] {
            try receiver.taken().map { taken in
                let body = taken.components(separatedBy: "\n\n").dropFirst().joined(separator: "\n\n")
                let payload = try JSON(parsing: Array(body.utf8))
                return "\(payload["notice"]?.string ?? "?"): \(payload["title"]?.string ?? "?")"
            }
        }
    }

    private func with(
        _ name: String, failures: Int = 0, _ work: (inout Watch) async throws -> Void
    ) async throws {
        let schema = "look_\(name)_\(getpid())"
        let base = try #require(databaseURL)
        let pool = PostgresPool(
            address: try PostgresAddress(
                url: "\(base)\(base.contains("?") ? "&" : "?")options=-csearch_path%3D\(schema)"),
            size: 4, name: "look-tests")
        let receiver = try NoticeReceiver(.https, failures: failures)
        let http = HTTPClient(
            name: "tb-look-test", configuration: HTTPConfiguration(trustedCertificates: receiver.certificate))
        let result: Result<Void, any Error>
        do {
            _ = try await Migrator(pool: pool, schema: schema).migrate()
            var watch = try await self.watch(PostgresStore(pool: pool, holder: "tests"), pool, receiver, http)
            result = .success(try await work(&watch))
        } catch { result = .failure(error) }
        try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await pool.close()
        await http.close()
        try result.get()
    }

    private func watch(
        _ store: PostgresStore, _ pool: PostgresPool, _ receiver: NoticeReceiver, _ http: HTTPClient
    ) async throws -> Watch {
        let settings = try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: Self.yaml,
                environment: [
                    "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@broker/",
                    "TILLBRIDGE_DATABASE_URL": "postgresql://fleet@db/books",
                ], readFile: { _ in nil }, readTimeZone: { $0 == "UTC" ? .utc : nil }))
        let start = try #require(Instant(iso8601: "2026-11-25T12:00:00Z"))
        // Nobody polls here: that is another matter.
        try await store.mute(
            Mute(kind: .syncSilent, until: start.adding(seconds: 86_400 * 9)), author: "Ana", reason: "a test")
        let (now, map) = (Locked(start), Locked(QueueState(waiting: 0, consumers: 1)))
        let write = Locked(QueueState(waiting: 0, consumers: 1))
        let metrics = Metrics()
        let channel = WebhookChannel(
            name: "duty", url: Secret("https://127.0.0.1:\(receiver.port)/hook"),
            form: .signed(Secret("0123456789abcdef")), http: http)
        let service = AlertService(
            settings: settings.alerts, isSpare: false, store: store,
            look: AlertLook(settings: settings, store: store, broker: MemoryBroker(map: map, write: write)),
            channels: [channel],
            clock: WorkClock(now: { now.withLock { $0 } }, sleep: { _ in }, randomInteger: { $0.lowerBound }),
            metrics: metrics, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return Watch(
            pool: pool, store: store, service: service,
            lease: try #require(try await store.acquire("alerts", for: .seconds(3600))), receiver: receiver, now: now,
            map: map, write: write, metrics: metrics, memory: AlertLook.Memory(watchingSince: start))
    }

    private static let letter = """
        INSERT INTO dead_letter_group (class, fingerprint, organisation, remedy, opened_at)
        VALUES ('archived', 'f', 'harbour', 'Restore it.', '2026-11-25T22:30:00Z');
        INSERT INTO dead_letter (identity, queue, class, cause, remedy, organisation, company, venue, attempts,
                                 headers, body, first_seen, group_id, amount)
        SELECT sha256('1'), 'q', 'archived', 'Account 230 is archived in Xero.', 'Restore it.', 'harbour', 'harbour',
               'Harbour Bistro', 0, '{}', '', '2026-11-25T22:30:00Z', (SELECT id FROM dead_letter_group), 12.30;
        """

    @Test("an alert that ended is kept for its time, then a look forgets it; an open one is never forgotten")
    func forgetting() async throws {
        try await with("forgets") { watch in
            try await watch.pool.withSession { try $0.script(Self.letter) }
            func known(_ watch: Watch) async throws -> Int {
                try await watch.store.listedAlerts(closedToo: true).count { $0.concern.kind == .deadLetterGroup }
            }
            try await watch.look("26T12:00")
            try await watch.look("28T13:00")
            #expect(try await known(watch) == 1)
            try await watch.pool.withSession { try $0.script("UPDATE dead_letter_group SET closed_at = now()") }
            try await watch.look("28T14:00")
            #expect(try watch.heard().last?.hasPrefix("resolved: ") == true)
            try await watch.look("30T13:59")
            #expect(try await known(watch) == 1)
            try await watch.look("30T14:01")
            #expect(try await known(watch) == 0)
        }
    }

    @Test("whoever is assigned to a group has it in hand until it closes: its next time is escalated again")
    func assignee() async throws {
        try await with("whose") { watch in
            try await watch.pool.withSession { try $0.script(Self.letter) }
            var filter = LetterFilter()
            filter.group = 1
            try await watch.look("26T08:00")
            #expect(try watch.heard().last == "opened: 1 letter on the desk: archived")
            #expect(try await watch.store.assign(filter, to: "ben", by: "ana").count == 1)
            #expect(try await watch.store.groupFacts().map(\.assignee) == ["ben"])
            // A day old by now, and grave: Ben has it.
            try await watch.look("27T07:59")
            #expect(try watch.heard().count == 1)
            try await watch.pool.withSession {
                try $0.script("UPDATE dead_letter SET state = 'resolved', closed_at = now()")
            }
            #expect(try await watch.store.closeGroups().count == 1)
            try await watch.look("27T09:00")
            try await watch.look("27T09:06")
            #expect(try watch.heard().last == "resolved: 1 letter on the desk: archived")
            // Back later, as by a letter of the same cause: nobody's.
            try await watch.pool.withSession {
                try $0.script(
                    """
                    UPDATE dead_letter_group SET closed_at = NULL, opened_at = '2026-11-29T12:00:00Z';
                    UPDATE dead_letter SET state = 'open', closed_at = NULL;
                    """)
            }
            #expect(try await watch.store.groupFacts().map(\.assignee) == [nil])
            try await watch.look("29T12:02")
            #expect(try watch.heard().last == "opened: 1 letter on the desk: archived")
            try await watch.look("29T16:03")
            #expect(try watch.heard().last == "escalated: 1 letter on the desk: archived")
        }
    }

    @Test("a grave group whose end was told is told at once when it is back; a harmless one when it has stood for long")
    func graveAgain() async throws {
        try await with("again") { watch in
            func close(_ isClosed: Bool) async throws {
                let closed = isClosed ? "now()" : "NULL"
                try await watch.pool.withSession { try $0.script("UPDATE dead_letter_group SET closed_at = \(closed)") }
            }
            try await watch.pool.withSession { try $0.script(Self.letter) }
            try await watch.look("27T08:00")
            try await close(true)
            try await watch.look("27T08:10")
            try await close(false)
            try await watch.look("27T09:00")
            try await watch.look("27T09:01")
            try await close(true)
            try await watch.look("27T09:10")
            // Harmless this time: without a word, until it has stood for four hours.
            try await close(false)
            try await watch.pool.withSession {
                try $0.script("UPDATE dead_letter_group SET opened_at = '2026-11-27T09:50:00Z'")
            }
            try await watch.look("27T10:00")
            let moment = try #require(Instant(iso8601: "2026-11-27T10:00:00Z"))
            let known = try await watch.store.knownAlerts(resolvedSince: moment)
            #expect(known.filter { $0.kind == .deadLetterGroup }.map(\.firstTold) == [moment])
            try await watch.look("27T13:59")
            let heard = ["escalated", "resolved", "escalated", "resolved"]
            #expect(try watch.heard().compactMap { $0.split(separator: ":").first.map(String.init) } == heard)
            try await watch.look("27T14:00")
            #expect(try watch.heard().last == "escalated: 1 letter on the desk: archived")
        }
    }

    @Test("in quiet hours a message is held, and shown as such; when they end it is delivered, once")
    func quietHours() async throws {
        try await with("quiet") { watch in
            try await watch.pool.withSession { try $0.script(Self.letter) }
            try await watch.look("25T23:00")
            #expect(try watch.heard().isEmpty)
            let counts = try await watch.store.alertCounts()
            #expect(counts.open[.deadLetterGroup] == 1 && counts.waiting == 1)
            let held = try await watch.letters()
            #expect(held.undelivered == 1 && held.error == nil && held.givenUp == 0)
            #expect(held.lastTold == Instant(iso8601: "2026-11-26T07:00:00Z"))
            try await watch.look("26T06:59")
            #expect(try watch.heard().isEmpty)
            #expect(watch.metrics.rendered().contains("tillbridge_alert_deliveries_waiting 1"))
            try await watch.look("26T07:00")
            #expect(try watch.heard() == ["opened: 1 letter on the desk: archived"])
            try await watch.look("26T07:01")
            #expect(try watch.heard().count == 1)
            #expect(try await watch.letters().undelivered == 0)
            #expect(watch.metrics.rendered().contains("tillbridge_alert_deliveries_waiting 0"))
            #expect(
                watch.metrics.rendered().contains(
                    #"tillbridge_alerts_sent_total{channel="duty",notice="opened"} 1"#))
        }
    }

    @Test("a message that nobody takes is tried again, given up in the end, and seen all the time")
    func givenUp() async throws {
        try await with("given_up", failures: 1_000) { watch in
            try await watch.pool.withSession { try $0.script(Self.letter) }
            try await watch.look("26T08:00")
            var alert = try await watch.letters()
            #expect(alert.undelivered == 1 && alert.givenUp == 0)
            #expect(alert.error == "the address of duty answered 503")
            for minute in ["10", "20", "40", "59"] { try await watch.look("26T08:\(minute)") }
            #expect(try await watch.store.alertCounts().givenUp == 0)
            try await watch.look("26T09:30")
            alert = try await watch.letters()
            #expect(alert.undelivered == 1 && alert.givenUp == 1)
            try await watch.look("26T09:31")
            let figures = watch.metrics.rendered()
            #expect(figures.contains("tillbridge_alert_deliveries_given_up 1"), "\(figures)")
            #expect(figures.contains("tillbridge_alert_deliveries_waiting 0"), "\(figures)")
            #expect(try watch.heard().isEmpty)
        }
    }

    @Test("a queue whose reader is gone, and one whose reader stands still, are told past the bound; a backlog is not")
    func queueAge() async throws {
        try await with("queue") { watch in
            func says(_ waiting: Int, _ consumers: Int) {
                watch.map.withLock { $0 = QueueState(waiting: waiting, consumers: consumers) }
            }
            says(12, 0)
            try await watch.look("25T12:00")
            try await watch.look("25T12:29")
            #expect(try watch.heard().isEmpty)
            try await watch.look("25T12:30")
            #expect(try watch.heard() == ["opened: nobody takes messages from t.map"])
            says(0, 1)
            try await watch.look("25T12:40")
            try await watch.look("25T13:00")
            #expect(try watch.heard().last == "resolved: nobody takes messages from t.map")

            // A mapper is there. A document was made a quarter of an hour after the queue filled: a backlog.
            says(9000, 1)
            try await watch.look("26T09:00")
            try await watch.pool.withSession {
                try $0.script(
                    """
                    INSERT INTO document (organisation, number, company, source_kind, source_id, source_hash, venue,
                                          contact_number, trading_date, currency, total, content_hash, created_at,
                                          closed_at)
                    VALUES ('harbour', 'HBR-1', 'harbour', 'order', '1', '', 'Harbour Bistro', 'W', '2026-11-26',
                            'AUD', 12.00, '', '2026-11-26T09:15:00Z', '2026-11-26T09:16:00Z');
                    """)
            }
            try await watch.look("26T09:44")
            #expect(try watch.heard().count == 2)
            // Nothing since: it stands still.
            try await watch.look("26T09:45")
            #expect(try watch.heard().last == "opened: messages of t.map do not get on")
            says(0, 1)
            try await watch.look("26T09:50")
            try await watch.look("26T10:10")
            #expect(try watch.heard().last == "resolved: messages of t.map do not get on")
            #expect(try watch.heard().count == 4)
        }
    }

    @Test("a writer's queue is read by nobody while its organisation rests as designed: that is told of no one")
    func restingWriter() async throws {
        try await with("rest") { watch in
            func inBudget(_ assignment: String) async throws {
                try await watch.pool.withSession { try $0.script("UPDATE budget SET \(assignment)") }
            }
            try await watch.pool.withSession { try $0.script("INSERT INTO budget (organisation) VALUES ('harbour')") }
            watch.write.withLock { $0 = QueueState(waiting: 7, consumers: 0) }
            // Xero asked for a pause until two; then the day's calls are used up; then the breaker is open and tried
            // again and again.
            try await inBudget("parked_until = '2026-11-25T14:00:00Z'")
            try await watch.look("25T12:00")
            try await watch.look("25T13:59")
            try await inBudget("parked_until = NULL, day = '2026-11-25', day_calls = 5000")
            try await watch.look("25T15:00")
            try await watch.look("25T19:00")
            try await inBudget("day_calls = 0, breaker = 'open', breaker_until = '2026-11-25T19:01:00Z'")
            try await watch.look("25T19:02")
            #expect(try watch.heard().filter { $0.contains("nobody takes") }.isEmpty)
            // Nobody has tried it since: there is no writer. From here on it counts.
            try await watch.look("25T19:04")
            try await watch.look("25T19:33")
            #expect(try watch.heard().filter { $0.contains("nobody takes") }.isEmpty)
            try await watch.look("25T19:34")
            #expect(try watch.heard().last == "opened: nobody takes messages from t.write.harbour")
            let alert = try #require(
                try await watch.store.listedAlerts(closedToo: false).first { $0.concern.kind == .queueAge })
            #expect(alert.concern.command == "writer --config tillbridge.yaml")
        }
    }
}
