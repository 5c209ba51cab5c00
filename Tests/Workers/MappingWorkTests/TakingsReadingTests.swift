import Domain
import Foundation
import Logging
import Mapping
import Messaging
import Money
import Settings
import Store
import Telemetry
import Testing

@testable import MappingWork

@Suite("Reading takings") struct TakingsReadingTests {
    private let company = CompanyKey("harbour")

    private func read(
        _ mode: PostingMode, counted: String, account: String? = "870", mark: LetterMark? = nil
    ) -> Reading {
        var books = VenueBooks(
            company: company, organisation: OrganisationKey("harbour"), site: SiteID("923"), name: "Harbour Bistro",
            numberPrefix: "HBR", currency: "AUD", timeZone: .utc, contactNumber: "W", tracking: nil,
            accounts: .init(sales: "230", tips: "825", rounding: "860", outsideTaxType: "BASEXCLUDED"),
            taxTypes: [:], clearingAccounts: ["cash": "231"], fallbackClearingAccount: "239")
        books.accounts.variance = account
        books.posting = PostingPlan(initial: mode)
        let reader = RecordReader(
            books: [VenueKey(company: company, site: SiteID("923")): books], recordBytesMax: 10_000)
        func tender(_ name: String, _ counted: String) -> String {
            #"{"payment_method":{"name":"\#(name)"},"takings":{"recorded":10,"counted":\#(counted)}}"#
        }
        let body = #"{"id":7,"site":{"id":923},"created_at":"2026-07-01T20:00:00Z","reconciliations":["#
            + tender("Cash", "9.50") + "," + tender("Barter", counted) + "]}"
        let subject = Envelope.Subject(company: company, kind: "takings", id: "7")
        var envelope = Envelope(firstSeen: Instant(secondsSince1970: 0), subject: subject)
        envelope.mark = mark
        return reader.read(IncomingMessage(body: Array(body.utf8), envelope: .success(envelope), queue: "map"))
    }

    @Test("a variance that the fallback account takes is told, once a payment method, in the log and as a metric")
    func fallback() {
        let reading = read(.dailySummary, counted: "8")
        #expect(reading.warnings.map(\.sentence)
            == ["takings 7: the variance of -2.00 by \"Barter\" goes to the fallback account"])
        #expect(read(.dailySummary, counted: "10").warnings.isEmpty)
        let (metrics, lines) = (Metrics(), WarningLines())
        WarningLog(metrics: metrics, logger: Logger(label: "tests") { _ in lines })
            .tell(reading.warnings, now: Instant(secondsSince1970: 0))
        #expect(metrics.rendered().contains(#"tillbridge_mapping_warnings_total{organisation="harbour"} 1"#))
        #expect(lines.lines == reading.warnings.map(\.sentence))
    }

    @Test("what is true of every order is said once a minute and counted each time; another venue's is said at once")
    func repeated() {
        let (metrics, lines) = (Metrics(), WarningLines())
        let log = WarningLog(metrics: metrics, logger: Logger(label: "tests") { _ in lines })
        func tell(_ order: String, at seconds: Int64, venue: String = "Bar") {
            let warning = RecordWarning(
                organisation: OrganisationKey("harbour"), venue: venue, order: order, sentence: "no account")
            log.tell([warning], now: Instant(secondsSince1970: seconds))
        }
        tell("1", at: 100)
        tell("2", at: 101)
        tell("3", at: 159)
        tell("4", at: 159, venue: "Cafe")
        #expect(lines.lines == ["order 1: no account", "order 4: no account"])
        tell("5", at: 160)
        tell("6", at: 220)
        #expect(lines.lines.dropFirst(2) == [
            "order 5: no account (2 more since it was last said)", "order 6: no account",
        ])
        #expect(metrics.rendered().contains(#"tillbridge_mapping_warnings_total{organisation="harbour"} 6"#))
    }

    @Test("a variance of a day that is posted order by order is booked where there is an account; else that is told")
    func perOrder() {
        guard case .takings(let booked) = read(.perOrder, counted: "10") else {
            Issue.record("there is an account for the variance")
            return
        }
        #expect(booked.takings.mode == .perOrder && booked.takings.key.day == CalendarDate("2026-07-01"))
        guard case .needless(_, let warnings) = read(.perOrder, counted: "10", account: nil) else {
            Issue.record("without an account they belong in no document")
            return
        }
        #expect(warnings.map(\.sentence) == [
            "takings 7: the variance of -0.50 by \"Cash\" on 2026-07-01 is not booked, since the day is posted order "
                + "by order and `accounts.variance` is not set"
        ])
    }

    @Test("takings from the desk that turn out to need nothing settle their letter, which else stayed on its way")
    func needlessReplay() {
        let mark = LetterMark(letter: 17, replay: 2)
        let reading = read(.perOrder, counted: "10", account: nil, mark: mark)
        #expect(reading.verdict == .done)
        #expect(MapperService.replays([reading], [:], []) == [
            MappedReplay(mark: mark, document: nil, ending: .needless)
        ])
        #expect(MapperService.replays([read(.perOrder, counted: "10", account: nil)], [:], []).isEmpty)
    }
}

private final class WarningLines: LogHandler, @unchecked Sendable {
    // Unchecked: `kept` is touched only under `lock`; the others are set before anybody else sees it.
    private let lock = NSLock()
    private var kept: [String] = []
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    var lines: [String] { lock.withLock { kept } }

    func log(event: LogEvent) { lock.withLock { kept.append("\(event.message)") } }
}
