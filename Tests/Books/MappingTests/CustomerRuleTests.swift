import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// Rules that ask for what only a customer's own record says.
@Suite struct CustomerRuleTests {
    private func mapping(_ subject: Rule.Subject = .line, at venue: Rule.Condition = .always) -> OrderMapping {
        var outcome = Rule.Outcome()
        outcome.account = TextTemplate("299")
        let staff = Rule.Condition.text(.customerTag, .equals(FoldedText("staff")))
        var books = VenueBooks.example
        books.rules = RuleBook(rules: [
            Rule(name: "staff", subject: subject, condition: .all([staff, venue]), outcome: outcome)
        ])
        return OrderMapping(books: books)
    }

    private func order(_ knowledge: CustomerKnowledge, tags: [String] = []) -> Order {
        var order = Order.example(total: "12.00", lines: [.example("Pie", "1", "12.00")])
        var customer = Customer(id: "162003", firstName: "Ana", lastName: "Lee")
        customer.tags = tags
        order.customer = customer
        order.customerKnowledge = knowledge
        return order
    }

    @Test("the tags that were read with an order decide; a customer who is gone has none")
    func decided() throws {
        let staff = try mapping().invoice(for: order(.read, tags: ["Staff"]))
        #expect(staff.lines.map(\.account) == ["299"] && staff.warnings.isEmpty)
        for knowledge in [CustomerKnowledge.read, .gone] {
            let other = try mapping().invoice(for: order(knowledge))
            #expect(other.lines.map(\.account) == [VenueBooks.example.accounts.sales] && other.warnings.isEmpty)
        }
    }

    @Test("an order whose customer could not be read is laid on the desk rather than booked by the wrong rule")
    func unreadable() throws {
        let unread = order(.unreadable(cause: "Kounta answered 500"))
        let park = try #require(throws: Park.self) { try mapping(.payment).outcome(for: unread) }
        #expect(park.deadLetterClass == .mapping)
        #expect(park.cause.contains("162003") && park.cause.contains("answered 500"))
        // Where no rule asks, nobody minds.
        let elsewhere = mapping(at: .text(.venue, .equals(FoldedText("elsewhere"))))
        #expect(try elsewhere.invoice(for: unread).lines.map(\.account) == [VenueBooks.example.accounts.sales])
    }

    @Test("an order that was read before a rule asked is booked as without tags, with a warning")
    func notAsked() throws {
        let warned = try mapping().invoice(for: order(.notAsked))
        #expect(warned.warnings.count == 1 && warned.warnings[0].contains("162003"))
        #expect(try mapping().invoice(for: order(.notAsked, tags: ["Gold"])).warnings.isEmpty)
        var nobody = order(.notAsked)
        nobody.customer = nil
        #expect(try mapping().invoice(for: nobody).warnings.isEmpty)
    }
}
