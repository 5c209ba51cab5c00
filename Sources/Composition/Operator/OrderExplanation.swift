package import Domain
package import JSON
package import Mapping

/// What is booked for one order, and what the present mapping makes of it; and what the mapping by which it was booked
/// makes of it, where that is another.
package struct OrderExplanation {
    /// The mapping that an order's document was made by.
    package struct Stored: Sendable {
        package var version: Int64
        /// Whether the document names it; else it is the one that was in effect when the document was made.
        package var isExact: Bool
        /// Nil where it is the present one.
        package var books: VenueBooks?
        /// Why its configuration can no longer be read.
        package var problem: String?

        package init(version: Int64, isExact: Bool, books: VenueBooks? = nil, problem: String? = nil) {
            self.version = version
            self.isExact = isExact
            self.books = books
            self.problem = problem
        }
    }

    private let stored: Stored?
    private let storedResult: Result<OrderMapping.Outcome, Park>?
    private let order: OrderID
    private let venue: String
    private let contactName: String
    private let result: Result<OrderMapping.Outcome, Park>
    private let booked: [BookedDocument]

    /// - Parameter stored: nil where nothing is booked for the order.
    package init(
        of order: Order, by books: VenueBooks, contactName: String, booked: [BookedDocument] = [],
        stored: Stored? = nil
    ) {
        self.booked = booked
        self.stored = stored
        storedResult = stored?.books.map { Self.result(of: order, by: $0) }
        self.order = order.id
        venue = books.name
        self.contactName = contactName
        result = Self.result(of: order, by: books)
    }

    private static func result(of order: Order, by books: VenueBooks) -> Result<OrderMapping.Outcome, Park> {
        do { return .success(try OrderMapping(books: books).outcome(for: order)) } catch { return .failure(error) }
    }

    /// 0: it is booked, or a rule leaves it out. 3: it is laid on the desk.
    package var exitCode: Int32 {
        if case .failure = result { 3 } else { 0 }
    }

    package func lines() -> [String] {
        var lines = ["order \(order) of \(venue)"] + BookedDocument.lines(booked)
        if let stored {
            let name = "mapping \(stored.version)" + (stored.isExact ? "" : ", which was in effect then")
            if let problem = stored.problem {
                lines.append("it was booked by \(name); that can no longer be read: \(problem)")
            } else if let storedResult {
                lines.append("it was booked by \(name), which is not the present one")
                lines += ["", "as that mapping would have it:"] + self.lines(of: storedResult)
            } else {
                lines.append("it was booked by \(name), the present one")
            }
        }
        return lines + ["", "as the mapping would have it now:"] + self.lines(of: result)
    }

    private func lines(of result: Result<OrderMapping.Outcome, Park>) -> [String] {
        var lines: [String] = []
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
            if let stored {
                writer.key("booked_by")
                writer.object { writer in
                    writer.field("mapping", stored.version)
                    writer.field("is_exact", stored.isExact)
                    writer.field("is_present", stored.books == nil && stored.problem == nil)
                    if let problem = stored.problem { writer.field("problem", problem) }
                    if let storedResult { write(storedResult, to: &writer) }
                }
            }
            write(result, to: &writer)
        }
    }

    private func write(_ result: Result<OrderMapping.Outcome, Park>, to writer: inout JSONWriter) {
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
