import Domain
import Kounta
import Testing

@Suite("A customer's record beside an order's") struct CustomerAdditionTests {
    private func record(_ customer: String = #"{"id":162003,"first_name":"Ana","last_name":"Lee"}"#) -> [UInt8] {
        Array(
            """
            {"id":7,"site_id":923,"status":"COMPLETE","total":"5.00","created_at":"2026-11-22T10:00:00Z",
             "customer":\(customer),"lines":[],"payments":[],"notes":"a } ,\\"tillbridge_customer\\":{} ☕"}\r\n
            """.utf8)
    }

    private static let additions: [CustomerAddition] = [
        .read(tags: ["Staff", "Gold \"A\", {1}"], email: "ana@lee.example"), .read(tags: [], email: nil), .gone,
        .unread(cause: "Kounta answered 500 to /v1/…"),
    ]

    @Test("the order's record can be had back to the byte", arguments: additions)
    func roundTrip(_ addition: CustomerAddition) throws {
        let added = addition.added(to: record())
        #expect(added != record())
        #expect(CustomerAddition.removed(from: added) == record())
        #expect(CustomerAddition.removed(from: record()) == record())
    }

    @Test("an order read with its customer's record has their tags, and an e-mail address where it has none itself")
    func read() throws {
        let order = try OrderRecord.order(from: Self.additions[0].added(to: record()))
        #expect(order.customer?.tags == ["Staff", "Gold \"A\", {1}"] && order.customer?.email == "ana@lee.example")
        #expect(order.customer?.name == "Ana Lee" && order.customerKnowledge == .read)
        #expect(order.notes == #"a } ,"tillbridge_customer":{} ☕"#)
        let own = record(#"{"id":162003,"email":"own@lee.example","tags":["Own"]}"#)
        let other = try OrderRecord.order(from: Self.additions[0].added(to: own))
        #expect(other.customer?.tags == ["Own"] && other.customer?.email == "own@lee.example")
    }

    @Test("a customer who is gone has no tags; one who could not be read is known to be so; one nobody asked for too")
    func absent() throws {
        let gone = try OrderRecord.order(from: CustomerAddition.gone.added(to: record()))
        #expect(gone.customer?.tags == [] && gone.customerKnowledge == .gone)
        let unread = try OrderRecord.order(from: CustomerAddition.unread(cause: "no answer").added(to: record()))
        #expect(unread.customerKnowledge == .unreadable(cause: "no answer"))
        #expect(try OrderRecord.order(from: record()).customerKnowledge == .notAsked)
        // Whoever bought nothing known by name is nobody's customer.
        let nobody = try OrderRecord.order(from: Self.additions[0].added(to: record("null")))
        #expect(nobody.customer == nil && nobody.customerKnowledge == .notAsked)
    }

    @Test("only an order that stands and names a customer has one to read")
    func customer() {
        #expect(CustomerAddition.customer(in: record())?.id == "162003")
        #expect(CustomerAddition.customer(in: record("null")) == nil)
        #expect(CustomerAddition.customer(in: record(#"{"first_name":"Ana"}"#)) == nil)
        #expect(CustomerAddition.customer(in: Array("<html>".utf8)) == nil)
        let deleted = String(decoding: record(), as: UTF8.self).replacing(#""lines""#, with: #""deleted":true,"lines""#)
        #expect(CustomerAddition.customer(in: Array(deleted.utf8)) == nil)
    }

    @Test("of a customer with a thousand long tags a hundred are added, each cut")
    func bounds() throws {
        let tags = (0..<1000).map { "\($0)" + String(repeating: "x", count: 1000) }
        let order = try OrderRecord.order(from: CustomerAddition.read(tags: tags, email: nil).added(to: record()))
        #expect(order.customer?.tags.count == 100)
        #expect(order.customer?.tags.allSatisfy { $0.count == 255 } == true)
    }
}
