import ArgumentParser
import Bootstrap

@main struct Mapper: WorkerCommand {
    static var worker: Worker { .mapper }
    @OptionGroup var options: WorkerOptions
}
