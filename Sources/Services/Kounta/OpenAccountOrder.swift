import Domain
import JSON

/// An order that stands in the list of open customers' accounts.
package enum OpenAccountOrder {
    /// Whether the sale was made and a named customer owes it. What stands in the list beside it (an open tab of a
    /// known customer, say) is booked when it is complete. What cannot be read is passed on to whoever says so.
    package static func isSale(_ record: [UInt8]) -> Bool {
        guard let order = try? OrderRecord.order(from: record) else { return true }
        return order.isComplete || order.isOnAccount && order.customer != nil
    }
}
