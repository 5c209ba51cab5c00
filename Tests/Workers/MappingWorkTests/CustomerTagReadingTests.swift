import Crypto
import Domain
import Mapping
import Messaging
import Money
import Settings
import Store
import Testing

@testable import MappingWork

/// What the mapper makes of an order that came with what its customer's own record says.
@Suite("Orders with their customers' tags") struct CustomerTagReadingTests {
    private let company = CompanyKey("harbour")
    private let plain = """
        {"id":7,"site_id":923,"status":"COMPLETE","total":"11.00","created_at":"2026-11-22T10:00:00Z",\
        "customer":{"id":162003,"first_name":"Ana"},"lines":[{"number":1,"product":{"id":1,"name":"Pie"},"quantity":1,\
        "unit_price":10,"line_total_ex_tax":10,"line_total_tax":1,"taxes":[{"rate":0.1}]}],\
        "payments":[{"id":1,"method":{"name":"Cash"},"amount":"11.00"}]}
        """

    private func added(_ addition: String) -> String {
        String(plain.dropLast()) + ",\"tillbridge_customer\":\(addition)}"
    }

    private func read(_ body: String) -> Reading {
        var outcome = Rule.Outcome()
        outcome.account = TextTemplate("299")
        var books = VenueBooks(
            company: company, organisation: OrganisationKey("harbour"), site: SiteID("923"), name: "Harbour Bistro",
            numberPrefix: "HBR", currency: "AUD", timeZone: .utc, contactNumber: "W", tracking: nil,
            accounts: .init(sales: "230", tips: "825", rounding: "860", outsideTaxType: "BASEXCLUDED"),
            taxTypes: [ExactDecimal("0.1")!: "OUTPUT"], clearingAccounts: ["cash": "231"], fallbackClearingAccount: nil)
        books.rules = RuleBook(rules: [
            Rule(
                name: "staff", subject: .line, condition: .text(.customerTag, .equals(FoldedText("staff"))),
                outcome: outcome)
        ])
        let reader = RecordReader(
            books: [VenueKey(company: company, site: SiteID("923")): books], recordBytesMax: 10_000)
        let subject = Envelope.Subject(company: company, kind: "order", id: "7")
        let envelope = Envelope(firstSeen: Instant(secondsSince1970: 0), subject: subject)
        return reader.read(IncomingMessage(body: Array(body.utf8), envelope: .success(envelope), queue: "map"))
    }

    private func record(_ body: String) throws -> MappedRecord {
        guard case .mapped(let mapped) = read(body) else {
            Issue.record("\(read(body))")
            throw CancellationError()
        }
        return mapped.record
    }

    private func account(_ body: String) throws -> String? {
        let document = try #require(try record(body).document)
        let text = String(decoding: document.body, as: UTF8.self)
        return text.firstMatch(of: #/"AccountCode":"([0-9]+)"/#).map { String($0.output.1) }
    }

    @Test("tags that were published with an order decide its account, and make no other version of it")
    func tags() throws {
        let staff = added(#"{"tags":["Staff"]}"#)
        let (other, gone) = (added(#"{"tags":["Gold"]}"#), added(#"{"gone":true}"#))
        #expect(try account(staff) == "299")
        for body in [other, gone, plain] { #expect(try account(body) == "230") }
        let hash = try #require(ContentHash(bytes: Array(SHA256.hash(data: Array(plain.utf8)))))
        for body in [staff, other, gone, plain] { #expect(try record(body).hash == hash) }
        // What is stored is what was decided by.
        #expect(try record(staff).body == Array(staff.utf8))
        #expect(try record(plain.replacing("Ana", with: "Eva")).hash != hash)
    }

    @Test("the message that tells a writer of a document is as old as the till's record, not as the mapping")
    func writersMessage() throws {
        guard case .mapped(let mapped) = read(plain) else {
            Issue.record("it is not mapped")
            return
        }
        let later = Instant(secondsSince1970: 1_795_000_000)
        let message = WriteOrder(document: DocumentID(7)).message(mapped, now: later)
        #expect(message.envelope.firstSeen == Instant(secondsSince1970: 0))
        #expect(message.envelope.subject.document == 7)
    }

    @Test("an order whose customer could not be read is parked; an order from before the rule is booked with a warning")
    func unread() throws {
        guard case .parked(let park, _) = read(added(#"{"unread":"Kounta answered 500"}"#)) else {
            Issue.record("it is not parked")
            return
        }
        #expect(park.cause.contains("Kounta answered 500") && park.remedy.contains("tillbridge_customer"))
        #expect(read(added(#"{"tags":[]}"#)).warnings.isEmpty)
        #expect(read(plain).warnings.map(\.sentence).count == 1)
    }
}
