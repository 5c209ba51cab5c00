/// A header's value: everything RabbitMQ lets a publisher write.
///
/// Integers of every width become `int` and are written as 64 bits; an unsigned one beyond `Int64` becomes its digits
/// as `string`. Text that is not UTF-8 becomes `bytes`. A kind that is none of these is dropped when read.
package enum AMQPField: Sendable, Hashable {
    case string(String)
    case int(Int64)
    case bool(Bool)
    case bytes([UInt8])
    /// Seconds since 1970.
    case timestamp(Int64)
    /// AMQP's decimal: `digits` with the point `places` from the right.
    case decimal(places: UInt8, digits: UInt32)
    /// Binary floating point: never an amount.
    case double(Double)
    case table([String: AMQPField])
    case array([AMQPField])
    case null

    package var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    package var intValue: Int64? { if case .int(let value) = self { value } else { nil } }
}
