import Glibc
import Threads

/// The places on a worker's way where its sudden end would hurt most: after one effect and before the next.
///
/// A test names one in `TILLBRIDGE_CRASH_AT` and the process ends there with SIGKILL, as if the machine had lost power
/// between two instructions; or in `TILLBRIDGE_STOP_AT`, and it stops there (SIGSTOP) until somebody wakes it, perhaps
/// long after its lease. In production neither is set, and passing a waypoint is one look at a variable.
package enum Waypoint: String, Sendable, CaseIterable {
    /// Orders are fetched from Kounta, none is published.
    case pollerFetched = "poller.fetched"
    /// The broker has confirmed them; they are not noted as seen, and the cursor stands where it was.
    case pollerPublished = "poller.published"
    /// They are noted as seen; the cursor has not moved.
    case pollerNoted = "poller.noted"
    /// The cursor has moved.
    case pollerMoved = "poller.moved"

    /// What is to be written into the till is stored; it is not sent.
    case pollerWriteStored = "poller.write-stored"
    /// The till has answered about it; nothing of it is stored.
    case pollerWriteAnswered = "poller.write-answered"

    /// Records are read and mapped; nothing is stored.
    case mapperMapped = "mapper.mapped"
    /// Records and documents are committed; no message tells of them.
    case mapperCommitted = "mapper.committed"
    /// What follows is confirmed by the broker; the messages are not acknowledged.
    case mapperPublished = "mapper.published"
    /// The messages are acknowledged.
    case mapperAcknowledged = "mapper.acknowledged"

    /// A trading day is closed and its documents are committed; no message tells of them. Only where a venue posts
    /// summaries.
    case mapperDayClosed = "mapper.day-closed"

    /// Documents are claimed; nothing is prepared.
    case writerClaimed = "writer.claimed"
    /// A contact was created in the ledger; its id is not stored.
    case writerContacted = "writer.contacted"
    /// Key and bytes of the invoices are stored; they are not sent.
    case writerStored = "writer.stored"
    /// The ledger has answered about the invoices; nothing of it is stored.
    case writerAnswered = "writer.answered"
    /// The invoices are recorded; no payment is sent.
    case writerInvoiced = "writer.invoiced"
    /// It was looked up what stands in the ledger; nothing of it is acted on.
    case writerLooked = "writer.looked"
    /// It was looked up which payments stand in the ledger; nothing of it is acted on.
    case writerPaymentsLooked = "writer.payments-looked"
    /// Key and bytes of the payments are stored; they are not sent.
    case writerPaymentsStored = "writer.payments-stored"
    /// The ledger has answered about the payments; nothing of it is stored.
    case writerPaymentsAnswered = "writer.payments-answered"
    /// Key and bytes of a change to what stands are stored (a payment or an allocation taken away, a document made void
    /// or changed, a credit note set against an invoice); it is not sent.
    case writerChangeStored = "writer.change-stored"
    /// The ledger has answered about a change; nothing of it is stored.
    case writerChangeAnswered = "writer.change-answered"
    /// What became of a document's task is stored; its message is not acknowledged.
    case writerTaskDone = "writer.task-done"
    /// The payments are recorded and the documents closed; the messages are not acknowledged.
    case writerPaid = "writer.paid"
    /// The messages are acknowledged.
    case writerAcknowledged = "writer.acknowledged"
    /// Forgotten documents are noted as published; their messages are not sent.
    case sweeperTaken = "sweeper.taken"

    /// Letters have arrived; nothing is stored.
    case handlerReceived = "handler.received"
    /// Letters are stored; their messages are not acknowledged.
    case handlerKept = "handler.kept"
    /// Letters that are to be sent again are marked as taken; none is sent.
    case handlerTaken = "handler.taken"
    /// The broker has confirmed them; that is not noted.
    case handlerSent = "handler.sent"

    /// Passed only where what stands in the ledger is corrected.
    package var isOfCorrection: Bool {
        [.writerChangeStored, .writerChangeAnswered, .writerTaskDone].contains(self)
    }

    /// Passed only where rules write back into the till.
    package var isOfWritingBack: Bool { [.pollerWriteStored, .pollerWriteAnswered].contains(self) }

    /// Passed only where somebody sends letters again.
    package var isOfReplay: Bool { [.handlerTaken, .handlerSent].contains(self) }

    /// The program that passes it; `sweeper.` is a part of the writers.
    package var worker: String {
        switch rawValue.prefix(while: { $0 != "." }) {
        case "poller": "poller"
        case "mapper": "mapper"
        case "handler": "dead-letter-handler"
        default: "writer"
        }
    }
}

/// The process passes this point. Ends or stops it when a test asked for that.
@inline(__always)
package func pass(_ waypoint: Waypoint) {
    guard let trap = WaypointTrap.armed else { return }
    trap.pass(waypoint)
}

/// The process passes this point with these messages in hand. Ends or stops where a test named one of them: a message
/// that kills whoever takes it.
@inline(__always)
package func pass(_ waypoint: Waypoint, with bodies: () -> [[UInt8]]) {
    guard let trap = WaypointTrap.armed else { return }
    trap.pass(waypoint, with: bodies())
}

/// What a test asked for: at which pass of which point the process ends or stops.
package final class WaypointTrap: Sendable {
    // Nil in production. Written once, before the worker's first task starts, and only read ever after.
    fileprivate nonisolated(unsafe) static var armed: WaypointTrap?

    private struct Order {
        let waypoint: Waypoint
        let signal: Int32
        /// Passes until it is carried out; nil where a message decides.
        var left: Int?
        /// Carried out whenever a message with this in its body is in hand.
        let text: [UInt8]?
    }

    private let orders: Locked<[Order]>

    private init(_ orders: [Order]) { self.orders = Locked(orders) }

    /// - Parameters:
    ///   - crashAt: `<point>[:n]`, the n-th pass ends the process; n counts from 1, which is the default. Or
    ///     `<point>@<text>`: every pass with a message in hand whose body has this text.
    ///   - stopAt: the same for stopping it.
    /// - Returns: what was understood, for the log; nil where nothing is asked for.
    package static func arm(crashAt: String?, stopAt: String?) throws(WaypointProblem) -> String? {
        var orders: [Order] = []
        for (order, signal) in [(crashAt, SIGKILL), (stopAt, SIGSTOP)] {
            guard let order, !order.isEmpty else { continue }
            let halves = order.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            let parts = halves[0].split(separator: ":", omittingEmptySubsequences: false)
            guard let waypoint = Waypoint(rawValue: String(parts.first ?? "")) else {
                throw WaypointProblem(
                    "`\(order)` names no point; there are: "
                        + Waypoint.allCases.map(\.rawValue).joined(separator: ", "))
            }
            if halves.count == 2 {
                guard parts.count == 1, !halves[1].isEmpty else {
                    throw WaypointProblem("`\(order)` is not <point>@<text>")
                }
                orders.append(Order(waypoint: waypoint, signal: signal, left: nil, text: Array(halves[1].utf8)))
                continue
            }
            guard parts.count <= 2, let pass = parts.count == 1 ? 1 : Int(parts[1]), pass > 0 else {
                throw WaypointProblem("`\(order)` is not <point> or <point>:<n> with n from 1")
            }
            orders.append(Order(waypoint: waypoint, signal: signal, left: pass, text: nil))
        }
        guard !orders.isEmpty else { return nil }
        armed = WaypointTrap(orders)
        return orders.map { order in
            let place = order.left.map { "at pass \($0) of" } ?? "at a named message in"
            return "\(order.signal == SIGKILL ? "ends" : "stops") \(place) \(order.waypoint.rawValue)"
        }.joined(separator: ", ")
    }

    fileprivate func pass(_ waypoint: Waypoint, with bodies: [[UInt8]] = []) {
        let due = orders.withLock { orders in
            orders.indices.filter { index in
                guard orders[index].waypoint == waypoint else { return false }
                if let text = orders[index].text { return bodies.contains { $0.firstRange(of: text) != nil } }
                orders[index].left = orders[index].left.map { $0 - 1 }
                return orders[index].left == 0
            }.map { orders[$0].signal }
        }
        for signal in due {
            // To the whole process, from whichever thread stands here.
            kill(getpid(), signal)
            // Another thread may be the one that takes the signal; this one must not go on meanwhile.
            usleep(50_000)
        }
    }
}

package struct WaypointProblem: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
