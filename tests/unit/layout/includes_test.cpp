// Overlays that #include other files: followed within the project, bounded, and every fact and fault at its own line.
#include <gtest/gtest.h>

#include <algorithm>

#include "layout/dts_includes.hpp"
#include "unit/layout/trees.hpp"

namespace fota::layout::testing {
namespace {

using Said = std::multiset<std::string>;
constexpr const char* overlay = "boards/nrf9160dk_nrf9160_ns.overlay";

ExpandedSource expanded(const Files& files, const std::string& path) {
    auto out = with_includes(MemoryFileTree(files), path);
    if (!out) throw std::runtime_error(out.error().text());
    return std::move(*out);
}

/// Counts what is asked of it. Gives up after 1,000 reads, so that an unbounded reader fails soon.
class CountingTree final : public FileTree {
  public:
    explicit CountingTree(Files files) : files_(std::move(files)) {}
    bool is_file(const std::string& path) const override {
        ++looks;
        return files_.is_file(path);
    }
    bool is_directory(const std::string& path) const override { return files_.is_directory(path); }
    Result<Bytes> read(const std::string& path, std::uint64_t limit) const override {
        if (++reads > 1000) return fail(Errc::file_unreadable, "expected fewer reads");
        return files_.read(path, limit);
    }
    std::vector<Entry> list(const std::string& path) const override { return files_.list(path); }
    std::string display_name(const std::string& path) const override { return path; }

    mutable unsigned looks = 0;
    mutable unsigned reads = 0;

  private:
    MemoryFileTree files_;
};

/// The good tree with the application's overlay in a file that it includes by `line`.
Files with_overlay_in(const std::string& file, const std::string& line) {
    auto files = good_source();
    files[file] = files[overlay];
    files[overlay] = "// the flash\n" + line + "\n&uart1 { status = \"disabled\"; };\n";
    return files;
}

TEST(Includes, OfTheProjectCount) {
    const Said good{"note static-layout-in-use"};
    EXPECT_EQ(said(must_check(with_overlay_in("boards/flash.dtsi", "#include \"flash.dtsi\""))), good);
    EXPECT_EQ(said(must_check(with_overlay_in("common/flash.dtsi", "#include \"../common/flash.dtsi\""))), good);
    EXPECT_EQ(said(must_check(with_overlay_in("common/flash.dtsi", "# include \"./../common/./flash.dtsi\" // all"))),
              good);
    EXPECT_EQ(said(must_check(with_overlay_in("boards/flash.dtsi", "/include/ \"flash.dtsi\""))), good);
    // Zephyr's own search path begins in the application's devicetree directories.
    for (const char* directory : {"include", "dts/common", "dts/arm", "dts"}) {
        const auto file = std::string(directory) + "/flash.dtsi";
        EXPECT_EQ(said(must_check(with_overlay_in(file, "#include <flash.dtsi>"))), good) << directory;
        EXPECT_EQ(said(must_check(with_overlay_in(file, "#include \"flash.dtsi\""))), good) << directory;
    }
    // Not there, and not at another place by chance: the flash is then really not chosen.
    EXPECT_NE(
        find(must_check(with_overlay_in("other/flash.dtsi", "#include \"flash.dtsi\"")), "pm-ext-flash-not-chosen-app"),
        nullptr);
}

TEST(Includes, OfTheSdkArePassedOver) {
    auto files = good_source();
    files[overlay].insert(0, "#include <zephyr/dt-bindings/gpio/gpio.h>\n#include \"dt-bindings/x.h\"\n");
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
}

TEST(Includes, FactsAndFaultsKeepTheirFileAndLine) {
    auto files = with_overlay_in("boards/flash.dtsi", "#include \"flash.dtsi\"");
    append(files, "boards/flash.dtsi", "\n&mx25r64 { size = <8388608>; };\n");
    const auto lines = std::ranges::count(files["boards/flash.dtsi"], '\n');
    append(files, overlay, "&mx25r64 { spi-max-frequency = <80000000>; };\n");
    const auto report = must_check(files);
    const auto* inner = find(report, "flash-size-in-bytes-not-bits");
    ASSERT_NE(inner, nullptr);
    EXPECT_EQ(inner->where.file, "boards/flash.dtsi");
    EXPECT_EQ(inner->where.line, lines);
    const auto* outer = find(report, "spi-clock-above-board");
    ASSERT_NE(outer, nullptr);
    EXPECT_EQ(outer->where.file, overlay);
    EXPECT_EQ(outer->where.line, 4u);

    append(files, "boards/flash.dtsi", "&mx25r64 { size = ; };\n");
    const auto broken = must_check(files);
    const auto* fault = find(broken, "input-unreadable");
    ASSERT_NE(fault, nullptr);
    EXPECT_EQ(fault->where.file, "boards/flash.dtsi");
    EXPECT_EQ(fault->where.line, lines + 1);
}

TEST(Includes, ACircleIsSaidOnceWhereItCloses) {
    auto files = with_overlay_in("boards/flash.dtsi", "#include \"flash.dtsi\"");
    files["boards/flash.dtsi"] += "\n#include \"nrf9160dk_nrf9160_ns.overlay\"\n";
    const auto lines = std::ranges::count(files["boards/flash.dtsi"], '\n');
    const auto report = must_check(files);
    EXPECT_EQ(said(report), (Said{"error input-unreadable", "note static-layout-in-use"}));
    const auto* circle = find(report, "input-unreadable");
    ASSERT_NE(circle, nullptr);
    EXPECT_EQ(circle->where.file, "boards/flash.dtsi");
    EXPECT_EQ(circle->where.line, lines);
    EXPECT_NE(circle->message.find("including itself"), std::string::npos) << circle->message;
}

TEST(Includes, AGuardedCircleEndsAsInABuild) {
    auto files = with_overlay_in("boards/flash.dtsi", "#include \"flash.dtsi\"");
    files["boards/flash.dtsi"].insert(0, "#ifndef FLASH_DTSI\n#define FLASH_DTSI\n#include \"flash.dtsi\"\n");
    files["boards/flash.dtsi"] += "\n#endif\n";
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
}

TEST(Includes, DepthNumberAndSizeAreBounded) {
    Files deep;
    for (int i = 0; i < 20; ++i) deep["f" + std::to_string(i)] = "#include \"f" + std::to_string(i + 1) + "\"\n";
    auto out = expanded(deep, "f0");
    ASSERT_EQ(out.problems.size(), 1u);
    EXPECT_EQ(out.problems[0].where.file, "f7");
    EXPECT_NE(out.problems[0].message.find("8 deep"), std::string::npos);

    Files wide{{"top", ""}, {"leaf", "// nothing\n"}};
    for (int i = 0; i < 65; ++i) wide["top"] += "#include \"leaf\"\n";
    out = expanded(wide, "top");
    ASSERT_EQ(out.problems.size(), 1u);
    EXPECT_EQ(out.problems[0].where.line, 65u);

    Files large{{"top", "#include \"a\"\n#include \"b\"\n"}, {"a", std::string(1U << 20, '\n')}};
    large["b"] = large["a"];
    out = expanded(large, "top");
    ASSERT_EQ(out.problems.size(), 1u);
    EXPECT_EQ(out.problems[0].where.line, 2u);
    EXPECT_LT(out.text.size(), 2U << 20);
}

std::string times(std::size_t number, std::string_view line) {
    std::string out;
    out.reserve(number * line.size());
    for (std::size_t i = 0; i < number; ++i) out += line;
    return out;
}

TEST(Includes, AHostileOverlayCostsFewReads) {
    constexpr std::string_view line = "#include \"a\"\n";
    const CountingTree large({{"top", times((2U << 20) / line.size(), line)}, {"a", times(1U << 20, "\n")}});
    auto out = with_includes(large, "top");
    ASSERT_TRUE(out);
    EXPECT_LE(large.reads, 2u);
    EXPECT_FALSE(out->problems.empty());
    EXPECT_LE(out->problems.size(), 65u);

    // Files that cannot be used count as well.
    const CountingTree binary({{"top", times(4000, line)}, {"a", std::string(1U << 20, '\0')}});
    ASSERT_TRUE(with_includes(binary, "top"));
    EXPECT_LE(binary.reads, 65u);

    const CountingTree guarded({{"a", "#ifndef A\n#define A\n" + times(100'000, line) + "#endif\n"}});
    out = with_includes(guarded, "a");
    ASSERT_TRUE(out);
    EXPECT_EQ(guarded.reads, 1u);
    EXPECT_LE(guarded.looks, 4096u);
}

TEST(Includes, OnlySoManyLinesWithAnIncludeAreLookedAt) {
    constexpr std::string_view line = "#include <zephyr/dt-bindings/gpio/gpio.h>\n";
    const CountingTree enough({{"top", times(4096, line)}});
    auto out = with_includes(enough, "top");
    ASSERT_TRUE(out);
    EXPECT_TRUE(out->problems.empty());
    const CountingTree many({{"top", times(10'000, line)}});
    out = with_includes(many, "top");
    ASSERT_TRUE(out);
    ASSERT_EQ(out->problems.size(), 1u);
    EXPECT_EQ(out->problems[0].where.line, 4097u);
    EXPECT_EQ(out->problems[0].message, "expected at most 4,096 #include lines, found more");
    EXPECT_EQ(many.looks, enough.looks);
    EXPECT_EQ(out->text, times(10'000, line));
}

TEST(Includes, OutOfTheProjectAreNotGuessedAt) {
    // The flash may be chosen in a file that cannot be seen: a claim that it is not would be a guess.
    const auto report = must_check(with_overlay_in("flash.dtsi", "#include \"../../common/flash.dtsi\""));
    EXPECT_EQ(said(report), (Said{"note include-not-seen", "note static-layout-in-use"}));
    const auto* note = find(report, "include-not-seen");
    ASSERT_NE(note, nullptr);
    EXPECT_EQ(note->where.file, overlay);
    EXPECT_EQ(note->where.line, 2u);
    EXPECT_GT(report.counts.unreadable, 0u);
}

TEST(Includes, AnIncludedFileThatIsNoTextIsAFinding) {
    auto files = with_overlay_in("boards/flash.dtsi", "#include \"flash.dtsi\"");
    files["boards/flash.dtsi"] = std::string(10, '\0');
    const auto report = must_check(files);
    const auto* finding = find(report, "input-unreadable");
    ASSERT_NE(finding, nullptr);
    EXPECT_EQ(finding->severity, Severity::error);
    EXPECT_EQ(finding->where.line, 2u);
}

}  // namespace
}  // namespace fota::layout::testing
