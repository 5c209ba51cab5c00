package import Domain
import HTTP
import JSON
package import Mapping

/// The only two things that Kounta documents a write for: a customer's `reference_id`, and takings as processed.
///
/// All of it from what new orders leave of the company's allowance, but a customer whom a new order waits for.
extension KountaClient {
    /// Nil where Kounta no longer has the customer.
    package func customer(_ id: String, priority: KountaBudget.Priority = .rescan) async throws -> TillCustomer? {
        let path = customerPath(id)
        let response: HTTPResponse
        do { response = try await get(path, priority: priority) } catch KountaError.notFound { return nil }
        guard let customer = CustomerRecord.customer(from: response.body), customer.id == id else {
            throw KountaError.unexpectedShape(path: path, "it is not the customer's record")
        }
        return customer
    }

    /// - Returns: the customer as they are now; nil where Kounta does not have them any longer.
    /// - Throws: ``KountaError/unreachable`` where nobody knows whether it was written: look again.
    package func setReference(_ reference: String, of id: String) async throws -> TillCustomer? {
        var writer = JSONWriter()
        writer.object { $0.field("reference_id", reference) }
        let response: HTTPResponse
        do { response = try await put(customerPath(id), writer.bytes, priority: .rescan) } catch KountaError.notFound {
            return nil
        }
        // The answer to a write may have no body.
        if let customer = CustomerRecord.customer(from: response.body), customer.id == id { return customer }
        return try await customer(id)
    }

    /// The ids of a site's takings since a day that nobody has marked as processed.
    package func unprocessedTakings(site: SiteID, since day: CalendarDate) async throws -> Set<String> {
        Set(try await takings(site: site, since: day, onlyUnprocessed: true).map(\.id))
    }

    /// - Throws: ``KountaError/notFound`` where Kounta does not have them.
    package func markProcessed(takings id: String) async throws {
        var writer = JSONWriter()
        writer.object { $0.field("processed", true) }
        _ = try await put("/v1/companies/\(company)/reconciliations/\(id).json", writer.bytes, priority: .rescan)
    }

    private func customerPath(_ id: String) -> String { "/v1/companies/\(company)/customers/\(id).json" }
}
