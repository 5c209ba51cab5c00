import JSON

/// What comes onto the shelves and when: the trade of a simulation, in the order of time.
struct TradeSchedule: Sendable {
    enum Happening: Sendable {
        /// The n-th generated order at a till. `openedAt` is nil where it is opened and completed at once.
        case generated(n: Int, till: Int, stage: OrderStage, openedAt: Int64?)
        case stored(Int)
        /// A whole refund of the order with this number; the refund's own number.
        case refund(of: Int, as: Int)
        case spoiled(n: Int, till: Int, way: Int)
    }

    struct Release: Sendable {
        /// Unix milliseconds.
        let at: Int64
        let happening: Happening
    }

    struct Till: Sendable {
        let company: Int64
        let site: Int64
        let register: Int64
    }

    let tills: [Till]
    private(set) var releases: [Release] = []
    private var cursor = 0

    var isFinished: Bool { cursor == releases.count }
    var waiting: Int { releases.count - cursor }

    /// - Parameters:
    ///   - stored: how many orders of a file there are.
    ///   - now: Unix milliseconds.
    init(settings: KountaSettings, stored: Int, now: Int64) {
        tills = settings.companies.flatMap { company in
            company.sites.flatMap { site in
                site.registers.map { Till(company: company.id, site: site.id, register: $0.id) }
            }
        }
        var numbers = SeededNumbers(seed: settings.seed, stream: 0x5C4ED)
        let sites = settings.companies.reduce(0) { $0 + $1.sites.count }
        let count = settings.ordersPerSite * sites
        let span = Int64(settings.durationSeconds) * 1_000
        for index in 0..<stored {
            releases.append(Release(at: now + span * Int64(index) / Int64(max(stored, 1)), happening: .stored(index)))
        }
        for n in 0..<(count + settings.badOrders) {
            let till = till(at: n % sites, turn: n / sites, settings)
            let isBad = n >= count
            if settings.durationSeconds == 0 {
                let openedAt = Self.pastOpening(days: settings.days, now: now, &numbers)
                let happening: Happening = isBad
                    ? .spoiled(n: n, till: till, way: (n - count) % 4)
                    : .generated(n: n, till: till, stage: .complete, openedAt: openedAt)
                releases.append(Release(at: now, happening: happening))
                continue
            }
            let place = isBad ? (n - count) * count / max(settings.badOrders, 1) : n
            let at = now + span * Int64(place) / Int64(max(count, 1))
            if isBad {
                releases.append(Release(at: at, happening: .spoiled(n: n, till: till, way: (n - count) % 4)))
            } else {
                addLive(n, till, at: at, settings, &numbers)
            }
        }
        for index in 0..<min(settings.refunds, count) {
            let n = (index * count / min(settings.refunds, count) + index % sites) % count
            let after = span == 0 ? 0 : span + Int64(settings.lateSecondsMax) * 1_000
            releases.append(
                Release(at: now + after, happening: .refund(of: n, as: count + settings.badOrders + index)))
        }
        // Stable, so that what is released at one instant keeps its order.
        let ordered = releases.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
        releases = ordered.map(\.element)
    }

    private func till(at site: Int, turn: Int, _ settings: KountaSettings) -> Int {
        var index = 0
        for (position, candidate) in settings.companies.flatMap(\.sites).enumerated() {
            if position == site { return index + turn % candidate.registers.count }
            index += candidate.registers.count
        }
        return 0
    }

    /// An order of the busy service: most are opened and completed at once, some are seen open first.
    private mutating func addLive(
        _ n: Int, _ till: Int, at: Int64, _ settings: KountaSettings, _ numbers: inout SeededNumbers
    ) {
        guard !settings.shape.isPlain, numbers.percent(settings.latePercent), settings.lateSecondsMax > 0 else {
            releases.append(Release(at: at, happening: .generated(n: n, till: till, stage: .complete, openedAt: nil)))
            return
        }
        let late = Int64(1 + numbers.below(settings.lateSecondsMax)) * 1_000
        let stage: OrderStage = numbers.percent(70) ? .pending : .onHold
        releases.append(Release(at: at, happening: .generated(n: n, till: till, stage: stage, openedAt: nil)))
        releases.append(
            Release(at: at + late, happening: .generated(n: n, till: till, stage: .complete, openedAt: at / 1_000)))
    }

    /// A second of the last days between 10:00 and 22:00 by Sydney's clock, and before now. A day lasts until 04:00, so
    /// that every one of them is over.
    private static func pastOpening(days: Int, now: Int64, _ numbers: inout SeededNumbers) -> Int64 {
        let now = now / 1_000
        let today = (now + SydneyClock.offset(at: now) - 14_400) / 86_400
        let day = today - Int64(1 + numbers.below(max(days, 1)))
        let second = day * 86_400 + 36_000 + Int64(numbers.below(43_200))
        return SydneyClock.instant(of: CivilTime(secondsSinceEpoch: second))
    }

    /// Takes out the next release that is due. - Parameter now: Unix milliseconds.
    mutating func next(now: Int64) -> Release? {
        guard cursor < releases.count, releases[cursor].at <= now else { return nil }
        defer { cursor += 1 }
        return releases[cursor]
    }
}
