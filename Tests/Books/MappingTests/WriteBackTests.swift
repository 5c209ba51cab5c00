import Domain
import Mapping
import Testing

@Suite("Rules that write back into the till")
struct WriteBackTests {
    private let contact = ContactFacts(id: "5d4c", number: "162003")

    private func customer(_ reference: String? = nil, tags: [String] = []) -> TillCustomer {
        TillCustomer(id: "162003", firstName: "Ana", lastName: "Lee", email: "ana@example.com", tags: tags,
            reference: reference)
    }

    private func rules(_ parts: [TextTemplate.Part], overwrites: Bool = false) -> WriteBackRules {
        WriteBackRules(
            customers: [
                .init(
                    name: "one", condition: .always, reference: TextTemplate(parts: parts), overwrites: overwrites)
            ], takings: [])
    }

    private var byID: WriteBackRules { rules([.field(.contact(.id), [])]) }

    @Test("an empty field is written, one that says the same already is not")
    func writing() {
        #expect(byID.decision(for: customer(), contact: contact, ours: []) == .write("5d4c"))
        #expect(byID.decision(for: customer(""), contact: contact, ours: []) == .write("5d4c"))
        #expect(byID.decision(for: customer("5d4c"), contact: contact, ours: []) == .stands("5d4c"))
        let number = rules([.literal("X-"), .field(.contact(.number), [])])
        #expect(number.decision(for: customer(), contact: contact, ours: []) == .write("X-162003"))
    }

    @Test("somebody else's value is left, our own follows the contact, and overwrite says otherwise")
    func foreign() {
        #expect(byID.decision(for: customer("POS-7"), contact: contact, ours: []) == .foreign("POS-7"))
        #expect(byID.decision(for: customer("POS-7"), contact: contact, ours: ["old"]) == .foreign("POS-7"))
        #expect(byID.decision(for: customer("old"), contact: contact, ours: ["old"]) == .write("5d4c"))
        let bold = rules([.field(.contact(.id), [])], overwrites: true)
        #expect(bold.decision(for: customer("POS-7"), contact: contact, ours: []) == .write("5d4c"))
    }

    @Test("the first rule that holds decides; a look-up without a result goes on to the next, and none writes nothing")
    func firstMatch() {
        let table = TextTable([("Gold", "G")])
        let rules = WriteBackRules(
            customers: [
                .init(
                    name: "gold", condition: .text(.customerTag, .equals(FoldedText("gold"))),
                    reference: TextTemplate("G"), overwrites: false),
                .init(
                    name: "by tag", condition: .always,
                    reference: TextTemplate(parts: [.field(.text(.customerTag), [.lookup(table)])]),
                    overwrites: false),
                .init(
                    name: "by mail", condition: .isSet(.customerEmail),
                    reference: TextTemplate(parts: [.field(.text(.customerEmail), [.upper])]), overwrites: false),
            ], takings: [])
        #expect(rules.decision(for: customer(tags: ["Gold"]), contact: contact, ours: []) == .write("G"))
        #expect(
            rules.decision(for: customer(tags: ["Tin"]), contact: contact, ours: []) == .write("ANA@EXAMPLE.COM"))
        var nobody = customer()
        nobody.email = nil
        #expect(rules.decision(for: nobody, contact: contact, ours: []) == .unruled)
        #expect(WriteBackRules.none.decision(for: customer(), contact: contact, ours: []) == .unruled)
    }

    @Test("a text that is longer than the field may be is not cut: an id that is cut is another id")
    func tooLong() {
        let long = rules([.literal(String(repeating: "x", count: 70)), .field(.text(.customerEmail), []),
            .field(.text(.customerEmail), []), .field(.text(.customerEmail), [])])
        guard case .unusable(let cause) = long.decision(for: customer(), contact: contact, ours: []) else {
            Issue.record("it is not seen")
            return
        }
        #expect(cause.contains("at most 100"))
    }

    @Test("takings are marked where a rule says so, by venue, site and day of the week")
    func takings() {
        let sunday = CalendarDate(year: 2026, month: 11, day: 22)
        let rule = WriteBackRules.TakingsRule(
            name: "bistro",
            condition: .all([.text(.venue, .equals(FoldedText("harbour bistro"))), .weekday(Rule.Weekdays([7]))]))
        let rules = WriteBackRules(customers: [], takings: [rule])
        #expect(rules.marksTakings(of: "Harbour Bistro", site: SiteID("923"), on: sunday))
        #expect(!rules.marksTakings(of: "Harbour Bistro", site: SiteID("923"), on: sunday.adding(days: 1)))
        #expect(!rules.marksTakings(of: "Pier Cafe", site: SiteID("923"), on: sunday))
        #expect(!WriteBackRules.none.marksTakings(of: "Harbour Bistro", site: SiteID("923"), on: sunday))
    }

    @Test("a write that changed more than it said is seen", arguments: [
        ("first_name", TillCustomer(id: "1", lastName: "Lee", tags: ["a", "b"])),
        ("email", TillCustomer(id: "1", firstName: "Ana", lastName: "Lee", email: "x", tags: ["a", "b"])),
        ("tags", TillCustomer(id: "1", firstName: "Ana", lastName: "Lee", tags: ["a"])),
    ])
    func altered(field: String, after: TillCustomer) {
        let before = TillCustomer(id: "1", firstName: "Ana", lastName: "Lee", tags: ["a", "b"])
        #expect(before.fieldsChanged(in: after) == [field])
        var same = before
        same.reference = "new"
        same.tags = ["b", "a"]
        #expect(before.fieldsChanged(in: same).isEmpty)
    }
}
