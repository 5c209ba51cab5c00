import Domain
import Kounta
import Messaging
import Polling
import Settings
import Store
import Telemetry

extension OperatorTill {
    /// Orders of a venue as the poller would publish them: with what rules ask of their customers. Nothing is stored. A
    /// customer whom Kounta does not show is said to be so, as the mapper is told in the end.
    ///
    /// - Parameter records: as Kounta sent them.
    func completed(
        _ records: [[UInt8]], at site: SiteID, in company: CompanySettings, by client: KountaClient
    ) async throws -> [[UInt8]] {
        let questions = LiveCustomerQuestions.questions(settings.books, of: company.key)
        let reading = CustomerReading(
            company: company.key, client: client, store: store, settings: settings.polling,
            questions: { questions }, keeps: false, clock: LiveClock.clock, metrics: Metrics())
        let completed = try await reading.complete(records, at: site)
        return zip(records, completed).map { record, completed -> [UInt8] in
            switch completed {
            case .success(let body): return body
            case .failure(let unread): return CustomerAddition.unread(cause: "\(unread)").added(to: record)
            }
        }
    }

    /// The same; but where the fleet holds the very version of an order, with what was read then: that is what the
    /// order is booked by.
    func asBooked(
        _ records: [[UInt8]], at site: SiteID, in company: CompanySettings, by client: KountaClient
    ) async throws -> [[UInt8]] {
        let ids = records.map { (try? OrderRecord.order(from: $0))?.id }
        let stored = try await store.latestRecords(orders: Set(ids.compactMap(\.self)), of: company.key)
        let booked = zip(records, ids).map { record, id -> [UInt8]? in
            guard let id, let body = stored[id], CustomerAddition.removed(from: body) == record else { return nil }
            return body
        }
        let others = zip(records, booked).filter { $0.1 == nil }.map(\.0)
        var completed = try await completed(others, at: site, in: company, by: client).makeIterator()
        return zip(records, booked).map { record, booked in booked ?? completed.next() ?? record }
    }
}
