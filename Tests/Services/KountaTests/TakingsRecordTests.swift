import Domain
import Foundation
import Kounta
import Money
import Testing

@Suite("The takings of a day") struct TakingsRecordTests {
    private func record(_ text: String) throws -> TakingsRecord { try TakingsRecord(from: Array(text.utf8)) }

    private let good = #"{"id":1,"site":{"id":9},"created_at":"2026-11-23T20:00:00+11:00","processed":false,"#
        + #""reconciliations":[{"payment_method":{"id":1,"name":"Cash"},"#
        + #""takings":{"recorded":10.5,"counted":"10.00"}}]}"#

    @Test("recorded and counted are read by method, to the cent")
    func reads() throws {
        let record = try record(good)
        #expect(record.site == SiteID("9") && !record.isProcessed && record.register == nil)
        #expect(record.takings == [Takings(method: "Cash", recorded: Money(cents: 1050), counted: Money(cents: 1000))])
        #expect(record.takings.map(\.variance.cents) == [-50])
    }

    @Test("a figure that is missing or no amount is named with its method", arguments: [
        (#""recorded":10.5"#, #""recorded":null"#, "`recorded`"), (#""10.00""#, #""ten""#, "`counted`"),
        (#""10.00""#, "10.001", "`counted`"), (#""site":{"id":9},"#, "", "`site`"), ("2026-11-23T", "", "`created_at`"),
    ])
    func refuses(what: String, with: String, field: String) {
        let park = #expect(throws: Park.self) { try record(good.replacing(what, with: with)) }
        #expect(park?.deadLetterClass == .value && park?.cause.contains(field) == true, "\(park?.cause ?? "")")
    }

    @Test("of what a count is, never more than the record says", arguments: [
        (#""reconciliation_level":"site","register":{"id":7}"#, TakingsScope.site),
        (#""reconciliation_level":"register","register":{"id":7}"#, .register("7")),
        (#""reconciliation_level":"register","register":null"#, .unknown),
        (#""reconciliation_level":"staff_member","staff_member":{"id":8},"register":{"id":7}"#, .staff("8")),
        (#""reconciliation_level":"shift""#, .unknown),
        (#""register_level_reconciliation":true,"register":{"id":7}"#, .register("7")),
        (#""register_level_reconciliation":false,"register":{"id":7}"#, .site),
        (#""register":{"id":7}"#, .register("7")), (#""number":1"#, .site),
    ])
    func scopes(members: String, scope: TakingsScope) throws {
        #expect(try record(good.replacing(#""id":1,"site""#, with: #""id":1,\#(members),"site""#)).scope == scope)
    }

    @Test("what is no takings at all is said so", arguments: ["", "{}", "[]", #"{"id":1,"reconciliations":3}"#])
    func others(text: String) {
        #expect(throws: Park.self) { try record(text) }
    }

    private static let capture: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder.appending(path: "../shared/captures/kounta/cashup_2015.json").standardized
    }()

    @Test(
        "the vendor's sample is read",
        .enabled(if: FileManager.default.fileExists(atPath: capture.path), "../shared/captures/kounta is not here"))
    func captured() throws {
        let record = try TakingsRecord(from: Array(Data(contentsOf: Self.capture)))
        #expect(record.id == "19762" && record.register == "9091" && record.scope == .register("9091"))
        #expect(record.takings.map(\.method) == ["Cash", "Credit Card"])
        #expect(record.takings.map(\.variance.cents) == [-885, 0])
    }
}
