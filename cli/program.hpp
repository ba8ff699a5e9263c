// The program: global options, the command tree, and how a command is chosen and run. One command, one file: each
// declares its options struct, binds it to CLI11 in add_<command>() and does its work in run().
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "cli/cli11.hpp"
#include "cli/config.hpp"
#include "cli/output.hpp"

namespace fota::cli {

class Program {
  public:
    Program();

    Globals globals;
    Output out{globals};
    Config config;

    /// The command line without the program's name.
    std::vector<std::string_view> words;
    /// Empty beyond its end.
    std::string_view word(std::size_t index) const { return index < words.size() ? words[index] : std::string_view{}; }

    /// Called in a subcommand's parse callback: what to run once all options are known.
    void select(std::function<int()> run) { selected_ = std::move(run); }

    /// Parses and runs; returns the exit code. Never throws.
    int main(int argc, const char* const* argv);

  private:
    int run(int argc, const char* const* argv);

    CLI::App app_;
    std::function<int()> selected_;
};

/// A subcommand and what declares it.
struct Entry {
    std::string_view name;
    void (*add)(CLI::App&, Program&);
};

/// Declaring all commands takes longer than some of them run: the one that `word` names is enough. All of them when it
/// is none of theirs, for help and for "did you mean".
void add_named(CLI::App& app, Program& program, std::span<const Entry> entries, std::string_view word);

/// Adds the subcommand NAME with its help text; `run` is called with the options after parsing.
/// Usage: auto& o = *std::make_shared<Options>() kept alive by the closure.
template <class Options>
CLI::App* add_command(CLI::App& parent, Program& program, const char* name, const char* help,
                      const std::function<void(CLI::App&, Options&)>& bind, int (*run)(Program&, const Options&)) {
    auto* app = parent.add_subcommand(name, help);
    auto options = std::make_shared<Options>();
    bind(*app, *options);
    app->callback(
        [&program, options, run] { program.select([&program, options, run] { return run(program, *options); }); });
    return app;
}

// The commands, one per file, in the order of the help text.
void add_key(CLI::App& root, Program& program);
void add_image(CLI::App& root, Program& program);
void add_imgtool(CLI::App& root, Program& program);
void add_layout(CLI::App& root, Program& program);
void add_push(CLI::App& root, Program& program);
void add_device(CLI::App& root, Program& program);
void add_serial(CLI::App& root, Program& program);
void add_sim(CLI::App& root, Program& program);
void add_config(CLI::App& root, Program& program);

}  // namespace fota::cli
