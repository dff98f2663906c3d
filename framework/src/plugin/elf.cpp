#include "elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string_view>

namespace etl::host {
namespace {

#if defined __x86_64__
constexpr int kMachine = EM_X86_64;
#elif defined __aarch64__
constexpr int kMachine = EM_AARCH64;
#elif defined __riscv
constexpr int kMachine = EM_RISCV;
#elif defined __powerpc64__
constexpr int kMachine = EM_PPC64;
#elif defined __s390x__
constexpr int kMachine = EM_S390;
#else
#error "unknown machine: add its EM_ constant"
#endif
constexpr const char* kDamaged = "a damaged or cut-off ELF file";
constexpr unsigned kMostSegments = 256;       ///< a damaged file must not take long
constexpr std::size_t kMostVersions = 4096;
constexpr int kData = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

std::string MachineName(int machine) {
  switch (machine) {
    case EM_X86_64: return "x86-64";
    case EM_386: return "x86 (32 bit)";
    case EM_AARCH64: return "aarch64";
    case EM_ARM: return "arm (32 bit)";
    case EM_RISCV: return "riscv";
    case EM_PPC64: return "ppc64";
    case EM_S390: return "s390x";
    default: return "machine " + std::to_string(machine);
  }
}

class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) throw std::runtime_error(std::string("a file that cannot be read (") + std::strerror(errno) + ")");
    struct stat st {};
    const bool regular = ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (regular && st.st_size > 0) {
      size_ = static_cast<std::size_t>(st.st_size);
      void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      if (mapped != MAP_FAILED) data_ = static_cast<const char*>(mapped);
    }
    ::close(fd);
    if (!regular) throw std::runtime_error("something that is not a regular file");
    if (size_ == 0) throw std::runtime_error("an empty file");
    if (!data_) throw std::runtime_error("a file that cannot be mapped");
  }
  ~MappedFile() { ::munmap(const_cast<char*>(data_), size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  template <class T>
  T At(std::uint64_t offset) const {
    if (offset > size_ || sizeof(T) > size_ - offset) throw std::runtime_error(kDamaged);
    T value;
    std::memcpy(&value, data_ + offset, sizeof value);
    return value;
  }
  std::string_view Bytes(std::uint64_t offset, std::uint64_t length) const {
    if (offset > size_ || length > size_ - offset) throw std::runtime_error(kDamaged);
    return {data_ + offset, length};
  }
  std::string Text(std::uint64_t offset) const {
    const std::string_view rest = Bytes(offset, size_ - std::min<std::uint64_t>(offset, size_));
    const auto end = rest.find('\0');
    if (end == rest.npos) throw std::runtime_error(kDamaged);
    return std::string(rest.substr(0, end));
  }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

std::uint64_t AlignUp(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

std::optional<PluginNote> ParseNote(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  const auto dot = text.find('.'), first = text.find(' ');
  const auto second = first == text.npos ? text.npos : text.find(' ', first + 1);
  if (dot == text.npos || second == text.npos || dot > first) return {};
  PluginNote note;
  const char* begin = text.data();
  const auto major = std::from_chars(begin, begin + dot, note.abi_major);
  const auto minor = std::from_chars(begin + dot + 1, begin + first, note.abi_minor);
  if (major.ec != std::errc() || major.ptr != begin + dot || minor.ec != std::errc() || minor.ptr != begin + first) return {};
  note.name = text.substr(first + 1, second - first - 1);
  note.version = text.substr(second + 1);
  return note;
}

class Reader {
 public:
  Reader(const MappedFile& file, ElfFacts& facts) : file_(file), facts_(facts) {}

  void Read() {
    header_ = file_.At<Elf64_Ehdr>(0);
    if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_phnum > kMostSegments) throw std::runtime_error(kDamaged);
    for (unsigned i = 0; i < header_.e_phnum; ++i)
      segments_.push_back(file_.At<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr)));
    facts_.executable_stack = true;  // what the kernel assumes where no segment says otherwise
    for (const Elf64_Phdr& segment : segments_) ReadSegment(segment);
    if (dynamic_.empty()) return;
    ReadDynamic();
    ReadSymbols();
    ReadVersions();
  }

 private:
  void ReadSegment(const Elf64_Phdr& segment) {
    switch (segment.p_type) {
      case PT_INTERP: facts_.executable = true; break;
      case PT_GNU_STACK: facts_.executable_stack = segment.p_flags & PF_X; break;
      case PT_GNU_RELRO: facts_.relro = true; break;
      case PT_TLS: facts_.tls_bytes = segment.p_memsz; break;
      case PT_NOTE: ReadNotes(segment); break;
      case PT_DYNAMIC:
        if (!dynamic_.empty()) throw std::runtime_error(kDamaged);
        for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
          dynamic_.push_back(file_.At<Elf64_Dyn>(segment.p_offset + at));
          if (dynamic_.back().d_tag == DT_NULL) break;
        }
        break;
      default: break;
    }
  }

  void ReadNotes(const Elf64_Phdr& segment) {
    const std::uint64_t align = segment.p_align == 8 ? 8 : 4;
    std::uint64_t at = segment.p_offset;
    const std::uint64_t end = at + segment.p_filesz;
    while (at + sizeof(Elf64_Nhdr) <= end) {
      const auto note = file_.At<Elf64_Nhdr>(at);
      const std::uint64_t owner = at + sizeof note, text = AlignUp(owner + note.n_namesz, align);
      if (note.n_type == 1 && file_.Bytes(owner, note.n_namesz) == std::string_view("etl", 4))
        facts_.note = ParseNote(file_.Bytes(text, note.n_descsz));
      at = AlignUp(text + note.n_descsz, align);
    }
  }

  std::uint64_t Offset(std::uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_)
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
        return segment.p_offset + (address - segment.p_vaddr);
    throw std::runtime_error(kDamaged);
  }

  std::optional<std::uint64_t> Entry(std::int64_t tag) const {
    for (const Elf64_Dyn& entry : dynamic_)
      if (entry.d_tag == tag) return entry.d_un.d_val;
    return {};
  }

  void ReadDynamic() {
    const auto strings = Entry(DT_STRTAB);
    if (!strings) throw std::runtime_error("an ELF file without dynamic strings");
    strings_ = Offset(*strings);
    for (const Elf64_Dyn& entry : dynamic_) {
      const std::uint64_t value = entry.d_un.d_val;
      if (entry.d_tag == DT_NEEDED) facts_.needed.push_back(file_.Text(strings_ + value));
      if (entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH) facts_.runpath = file_.Text(strings_ + value);
      if (entry.d_tag == DT_TEXTREL) facts_.text_relocations = true;
      if (entry.d_tag == DT_BIND_NOW) facts_.now = true;
      if (entry.d_tag == DT_FLAGS) {
        facts_.text_relocations |= (value & DF_TEXTREL) != 0;
        facts_.static_tls |= (value & DF_STATIC_TLS) != 0;
        facts_.now |= (value & DF_BIND_NOW) != 0;
      }
      if (entry.d_tag == DT_FLAGS_1) {
        facts_.executable |= (value & DF_1_PIE) != 0;
        facts_.now |= (value & DF_1_NOW) != 0;
      }
    }
  }

  std::uint64_t SymbolCount() const {
    if (const auto hash = Entry(DT_HASH)) return file_.At<std::uint32_t>(Offset(*hash) + 4);
    const auto gnu = Entry(DT_GNU_HASH);
    if (!gnu) return 0;
    const std::uint64_t at = Offset(*gnu);
    const auto buckets = file_.At<std::uint32_t>(at), first = file_.At<std::uint32_t>(at + 4),
               bloom = file_.At<std::uint32_t>(at + 8);
    const std::uint64_t bucket_at = at + 16 + std::uint64_t{bloom} * 8, chain_at = bucket_at + std::uint64_t{buckets} * 4;
    std::uint64_t last = 0;
    for (std::uint32_t i = 0; i < buckets; ++i)
      last = std::max<std::uint64_t>(last, file_.At<std::uint32_t>(bucket_at + std::uint64_t{i} * 4));
    if (last < first) return first;
    while ((file_.At<std::uint32_t>(chain_at + (last - first) * 4) & 1) == 0) ++last;
    return last + 1;
  }

  void ReadSymbols() {
    const auto table = Entry(DT_SYMTAB);
    if (!table) return;
    static const std::set<std::string> kLinkerMade = {"_init", "_fini", "_edata", "_end", "__bss_start"};
    const std::uint64_t at = Offset(*table), count = SymbolCount();
    for (std::uint64_t i = 1; i < count; ++i) {
      const auto symbol = file_.At<Elf64_Sym>(at + i * sizeof(Elf64_Sym));
      const int bind = ELF64_ST_BIND(symbol.st_info), seen = ELF64_ST_VISIBILITY(symbol.st_other);
      if (bind == STB_LOCAL || symbol.st_shndx == SHN_ABS) continue;
      std::string name = file_.Text(strings_ + symbol.st_name);
      if (bind == STB_GNU_UNIQUE) facts_.unique.push_back(name);
      if (symbol.st_shndx == SHN_UNDEF)
        facts_.imported.push_back(std::move(name));
      else if ((seen == STV_DEFAULT || seen == STV_PROTECTED) && !kLinkerMade.contains(name))
        facts_.exported.push_back(std::move(name));
    }
  }

  void ReadVersions() {
    const auto need = Entry(DT_VERNEED), count = Entry(DT_VERNEEDNUM);
    if (!need || !count) return;
    std::uint64_t at = Offset(*need);
    for (std::uint64_t i = 0; i < *count; ++i) {
      const auto file = file_.At<Elf64_Verneed>(at);
      std::uint64_t item_at = at + file.vn_aux;
      for (unsigned k = 0; k < file.vn_cnt; ++k) {
        const auto item = file_.At<Elf64_Vernaux>(item_at);
        if (facts_.versions.size() == kMostVersions) throw std::runtime_error(kDamaged);
        facts_.versions.push_back(file_.Text(strings_ + item.vna_name) + " of " + file_.Text(strings_ + file.vn_file));
        if (item.vna_next == 0) break;
        item_at += item.vna_next;
      }
      if (file.vn_next == 0) break;
      at += file.vn_next;
    }
  }

  const MappedFile& file_;
  ElfFacts& facts_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Dyn> dynamic_;
  std::uint64_t strings_ = 0;
};

}  // namespace

bool ElfFacts::Exports(const std::string& symbol) const {
  return std::find(exported.begin(), exported.end(), symbol) != exported.end();
}

ElfFacts ReadElf(const std::string& path) {
  const MappedFile file(path);
  unsigned char ident[EI_NIDENT] = {};
  try {
    std::memcpy(ident, file.Bytes(0, EI_NIDENT).data(), EI_NIDENT);
  } catch (const std::runtime_error&) {
    throw std::runtime_error("a file that is not ELF");
  }
  if (std::memcmp(ident, ELFMAG, SELFMAG) != 0) throw std::runtime_error("a file that is not ELF");
  ElfFacts facts;
  const auto header = file.At<Elf64_Ehdr>(0);  // e_type and e_machine stand at the same place in 32-bit files
  facts.machine = MachineName(header.e_machine);
  facts.this_machine = ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == kData && header.e_machine == kMachine;
  facts.shared_object = header.e_type == ET_DYN;
  facts.executable = header.e_type == ET_EXEC;
  if (facts.this_machine) Reader(file, facts).Read();
  return facts;
}

}  // namespace etl::host
