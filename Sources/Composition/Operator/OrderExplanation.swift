package import Domain
package import JSON
package import Mapping

/// What is booked for one order, and what the present mapping makes of it.
package struct OrderExplanation {
    private let order: OrderID
    private let venue: String
    private let contactName: String
    private let result: Result<OrderMapping.Outcome, Park>
    private let booked: [BookedDocument]

    package init(of order: Order, by books: VenueBooks, contactName: String, booked: [BookedDocument] = []) {
        self.booked = booked
        self.order = order.id
        venue = books.name
        self.contactName = contactName
        do { result = .success(try OrderMapping(books: books).outcome(for: order)) } catch { result = .failure(error) }
    }

    /// 0: it is booked, or a rule leaves it out. 3: it is laid on the desk.
    package var exitCode: Int32 {
        if case .failure = result { 3 } else { 0 }
    }

    package func lines() -> [String] {
        var lines = ["order \(order) of \(venue)"] + BookedDocument.lines(booked)
        lines += ["", "as the mapping would have it now:"]
        switch result {
        case .failure(let park):
            lines += ["is laid on the desk (\(park.deadLetterClass.rawValue)): \(park.cause)", park.remedy]
        case .success(.skipped(let rule, let reason)):
            lines.append("is left out by the rule \"\(rule)\": \(reason)")
        case .success(.documents(let documents)):
            for document in documents { lines += [""] + DocumentView(document, contactName: contactName).lines() }
        }
        return lines
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("order", order.text)
            writer.field("venue", venue)
            writer.key("booked")
            writer.array { writer in for document in booked { document.write(to: &writer) } }
            switch result {
            case .failure(let park):
                writer.field("class", park.deadLetterClass.rawValue)
                writer.field("cause", park.cause)
                writer.field("remedy", park.remedy)
            case .success(.skipped(let rule, let reason)):
                writer.field("rule", rule)
                writer.field("skipped", reason)
            case .success(.documents(let documents)):
                writer.key("documents")
                writer.array { writer in
                    for document in documents { DocumentView(document, contactName: contactName).write(to: &writer) }
                }
            }
        }
    }
}
