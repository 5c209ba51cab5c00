import Domain
import Mapping
import Money
import OrderRecipes
import Xero

/// Everything the mapping makes of some thousand generated orders, in both ways of posting, as the writer sends it.
struct FleetDocuments {
    /// Without their contacts, as they are stored; and with them, as they are sent.
    private(set) var stored: [LedgerDocument.Kind: [[UInt8]]] = [:]
    private(set) var elements: [LedgerDocument.Kind: [[UInt8]]] = [:]
    private(set) var payments: [PaymentBody] = []
    private(set) var contacts: [NewContact] = []
    private(set) var allocations: [LedgerAllocation] = []

    static let contact = "a3675fc4-f8dd-4f03-ba5b-f1870566bcd7"
    static let document = "046d8a6d-1ae1-4b4d-9340-5601bdf41b87"

    private static let books: VenueBooks = {
        var books = VenueBooks.complete
        books.brandingTheme = "8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01"
        books.trackingSources = [.orderType: "Order type"]
        books.itemCodes = ["100": "SKU-100"]
        books.paymentTermDays = 14
        books.posting = PostingPlan(initial: .dailySummary, grouping: [.category])
        books.rules = rules
        return books
    }()

    static let ruledContact = "CLUB-1"
    static let ruledItem = "RULED-ITEM"
    static let link = "https://till.example/sales/"

    /// Every field that a rule can write, as long and as odd as the till's own texts make it.
    private static let rules: RuleBook = {
        var takeaway = Rule.Outcome()
        takeaway.url = TextTemplate(parts: [.literal(link), .field(.text(.order), [])])
        takeaway.contact = TextTemplate(ruledContact)
        takeaway.contactName = TextTemplate("The Club <of> Friends")
        takeaway.dueDays = TextTemplate("30")
        takeaway.brandingTheme = TextTemplate("8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a02")
        takeaway.reference = TextTemplate(parts: [
            .field(.text(.saleNumber), []), .literal(" at "), .field(.text(.venue), []),
        ])
        takeaway.tracking = [.init(category: "Project", option: TextTemplate("Fête"))]
        var first = Rule.Outcome()
        first.itemCode = TextTemplate(ruledItem)
        first.description = TextTemplate(parts: [.field(.text(.product), []), .literal(", ruled")])
        first.tracking = [
            .init(category: "Project", option: TextTemplate(parts: [.field(.text(.product), [])])),
            .init(category: "Order type", option: TextTemplate("Ruled")),
        ]
        var card = Rule.Outcome()
        card.reference = TextTemplate(parts: [.field(.text(.saleNumber), []), .literal(" by card")])
        func rule(
            _ name: String, _ subject: Rule.Subject, _ field: Rule.TextField, _ word: String, _ outcome: Rule.Outcome
        ) -> Rule {
            Rule(name: name, subject: subject, condition: .text(field, .equals(FoldedText(word))), outcome: outcome)
        }
        return RuleBook(rules: [
            rule("takeaway", .order, .orderType, "takeaway", takeaway), rule("first", .line, .product, "101", first),
            rule("card", .payment, .paymentMethod, "card", card),
        ])
    }()

    init(orders count: Int) {
        let summaries = SummaryMapping(books: Self.books)
        var generator = Seeded(seed: PropertyRun.seed)
        var entries: [DayEntry] = []
        var single: [LedgerDocument] = []
        for id in 0..<count {
            let recipe = Recipe.random(&generator)
            var order = recipe.order(id: 5_000_000_000 + id)
            // As people type: accents, quotes, line ends, and more than any field holds.
            order.saleNumber = id % 7 == 0 ? String(repeating: "№ ", count: 200) : "S\(id)"
            if id % 5 == 0 {
                order.lines[0].name = "Crème \"brûlée\"\n" + String(repeating: "très ", count: id % 1000)
            }
            order.customer?.lastName = String(repeating: "O'Brien <of> ", count: id % 40)
            guard case .documents(let documents) = summaries.orders.version(of: order) else { continue }
            single += documents
            entries += summaries.orders.entries(of: documents, for: order)
        }
        for document in single { add(document) }
        for document in Self.days(summaries, entries) { add(document) }
        addRefundOfOpenSale(summaries.orders)
        for key in [LedgerDocument.Kind.invoice, .creditNote] {
            elements[key] = stored[key]?.map { InvoiceBody.element($0, contact: Self.contact) }
        }
    }

    /// Each day closed with most of its entries, and then changed by the rest.
    private static func days(_ summaries: SummaryMapping, _ entries: [DayEntry]) -> [LedgerDocument] {
        Set(entries.map(\.day)).sorted().flatMap { day -> [LedgerDocument] in
            let all = entries.filter { $0.day == day }
            let first = Array(all.dropLast(all.count / 10))
            let takings = [Takings(method: "Cash", recorded: Money(cents: 1000), counted: Money(cents: 995))]
            let variance = (try? summaries.entries(of: takings, on: day)) ?? []
            var documents: [LedgerDocument] = []
            if case .documents(let made) = summaries.close(day, first + variance) { documents = made }
            return documents + summaries.adjustment(of: day, from: first, to: all, turn: 1)
        }
    }

    /// The one kind that the generator has not: a refund that settles what the customer still owes.
    private mutating func addRefundOfOpenSale(_ mapping: OrderMapping) {
        var order = Recipe(lines: [Recipe.Line(cents: 5500)]).order(id: 6_000_000_000)
        (order.isRefund, order.refundedOrder, order.payments) = (true, OrderID("5000000001"), [])
        order.paid = .zero
        order.customer = Customer(id: "77", firstName: "Ann", lastName: "Lee")
        guard case .documents(let documents) = mapping.version(of: order) else { return }
        for document in documents { add(document) }
    }

    private mutating func add(_ document: LedgerDocument) {
        stored[document.kind, default: []].append(InvoiceBody.element(document))
        payments += document.payments.map { payment in
            PaymentBody(
                kind: document.kind, documentID: Self.document, account: payment.account, date: payment.date,
                amount: payment.amount.description, reference: payment.reference)
        }
        allocations += document.allocations
        let number = document.contactNumber
        contacts.append(
            NewContact(
                number: number, name: NewContact.name(document.contactName ?? "", number: number),
                firstName: document.customer?.firstName ?? "", lastName: document.customer?.lastName ?? "",
                email: document.customer?.email))
    }
}
