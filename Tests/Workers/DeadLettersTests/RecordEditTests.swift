import Testing

@testable import DeadLetters

@Suite("Correcting a record") struct RecordEditTests {
    private let record =
        #"{"id":7, "site_id":923,"total":21.30,"payments":[{"amount":1},{"amount":2.50}],"n":{"a":"x"}}"#

    private func edited(_ assignment: String) throws -> String {
        String(decoding: try RecordEdit.applying(assignment, to: Array(record.utf8)), as: UTF8.self)
    }

    @Test(
        "one value changes and every other byte stays",
        arguments: [
            ("total=12.30", "21.30", "12.30"), ("payments[1].amount=3", "2.50", "3"),
            ("n.a=Flat White", "\"x\"", "\"Flat White\""), ("n.a=\"y\"", "\"x\"", "\"y\""),
            ("n={}", #"{"a":"x"}"#, "{}"),
        ])
    func set(assignment: String, old: String, new: String) throws {
        #expect(try edited(assignment) == record.replacing(old, with: new))
    }

    @Test(
        "what is not there is not invented, and nonsense is refused",
        arguments: [
            "totl=1", "payments[2].amount=1", "payments[-1].amount=1", "=1", "total", "n.a.b=1", "[0]=1", ".=2",
        ])
    func refused(assignment: String) {
        #expect(throws: RecordEdit.Problem.self) { try edited(assignment) }
    }

    private func check(_ new: String, order: String? = "7", booked: String? = nil) throws {
        try RecordEdit.check(
            Array(new.utf8), against: Array(record.utf8), order: order, booked: booked.map { Array($0.utf8) })
    }

    @Test("the order's id stays, so that no sale is booked under two numbers")
    func id() throws {
        try check(record.replacing("21.30", with: "1"))
        #expect(throws: RecordEdit.Problem.self) { try check(record.replacing("\"id\":7", with: "\"id\":8")) }
        #expect(throws: RecordEdit.Problem.self) { try check("{}") }
        #expect(throws: RecordEdit.Problem.self) { try check("{") }
        #expect(throws: RecordEdit.Problem.self) { try check(record) }
        let moved = record.replacing("923", with: "924")
        try check(moved)
        #expect(throws: RecordEdit.Problem.self) { try check(moved, booked: record) }
    }

    @Test("what counts is the site the order was booked under: a record that came with another is put right to it")
    func bookedSite() throws {
        let moved = record.replacing("923", with: "924")
        try check(moved, booked: moved.replacing("924", with: "\"924\""))
        #expect(throws: RecordEdit.Problem.self) { try check(record.replacing("21.30", with: "1"), booked: moved) }
        #expect(throws: RecordEdit.Problem.self) { try check(record.replacing("site_id", with: "x"), booked: record) }
    }
}
