//! Keys and signatures of modules, in files.

use std::{
    fmt,
    fs::{self, File},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Serialize;
use ta_bot_core::ModuleDigest;
use ta_bot_engine::modules::signature::{ModuleSignature, PrivateKey, PublicKey, SignatureError, TrustedKeys};
use ta_bot_wasm::Children;

use crate::cli::{
    Session,
    error::{CliError, shown},
    module_file, new_file,
    output::note,
};

/// What is appended to a module's file name to name the file of its signature.
const SIGNATURE: &str = ".sig";
/// More bytes than any file of a key or a signature has.
const LONGEST_FILE: u64 = 4096;

/// Makes a pair of keys.
pub(in crate::cli) fn generate(session: &Session, path: &Path) -> Result<(), CliError> {
    let key = PrivateKey::generate().map_err(CliError::Key)?;
    let public = with_ending(path, ".pub");
    let mut private_file = create(path, 0o600)?;
    let public_file = create(&public, 0o644);
    let written = public_file.and_then(|mut file| {
        new_file::fill(path, &mut private_file, key.to_text().as_bytes())?;
        new_file::fill(&public, &mut file, format!("{}\n", key.public()).as_bytes())
    });
    if let Err(error) = written {
        // Half a pair is useless and would be in the way of the next try. A file that was there before is not part of
        // this pair and stays.
        fs::remove_file(path).ok();
        if !matches!(error, CliError::KeyExists { .. }) {
            fs::remove_file(&public).ok();
        }
        return Err(error);
    }
    let made =
        Made { private_key_file: shown(path), public_key_file: shown(&public), public_key: key.public().to_string() };
    session.output.answer(&made)
}

/// Creates a new file for a key.
fn create(path: &Path, mode: u32) -> Result<File, CliError> {
    new_file::create(path, mode, |path| CliError::KeyExists { path })
}

/// Signs a module.
pub(in crate::cli) fn sign(
    session: &Session,
    path: &Path,
    key_file: &Path,
    output: Option<PathBuf>,
) -> Result<(), CliError> {
    let key: PrivateKey = parsed(key_file)?;
    warn_of_readers(key_file);
    let digest = digest(path)?;
    let signature = key.sign(digest);
    let output = output.unwrap_or_else(|| with_ending(path, SIGNATURE));
    fs::write(&output, format!("{signature}\n")).map_err(|reason| CliError::Write { path: output.clone(), reason })?;
    session.output.answer(&Signed {
        file: shown(path),
        digest: digest.to_string(),
        signature_file: shown(&output),
        signature: signature.to_string(),
        public_key: key.public().to_string(),
    })
}

/// The digest of the module in a file. A signature vouches for what is signed, so that must at least be a module.
fn digest(path: &Path) -> Result<ModuleDigest, CliError> {
    let bytes = module_file::read(path)?;
    Ok(Children::of_this_program()
        .inspect(&mut &*bytes, bytes.len() as u64)
        .map_err(|error| module_file::unfit_bytes(path, error))?
        .digest)
}

fn warn_of_readers(path: &Path) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        note(&format!("warning: others can read the private key {}: chmod 600 it", path.display()));
    }
}

/// Says whether the signature of a module is good.
pub(in crate::cli) fn verify(
    session: &Session,
    path: &Path,
    signature_file: Option<PathBuf>,
    keys: Vec<PublicKey>,
) -> Result<(), CliError> {
    let trusted = TrustedKeys::new(keys).or_else(|| session.environment.trusted_keys.clone());
    let no_keys = || CliError::Usage("no key is trusted: give --key, or set MODULE_TRUSTED_KEYS".to_owned());
    let trusted = trusted.ok_or_else(no_keys)?;
    let signature_file = signature_file.unwrap_or_else(|| with_ending(path, SIGNATURE));
    let signature: ModuleSignature = parsed(&signature_file)?;
    // The bytes need not be a module: a damaged module has no good signature, and that is the answer.
    let digest = ModuleDigest::of(&module_file::read(path)?);
    let key =
        trusted.verify(digest, &signature).map_err(|problem| CliError::Signature { path: path.to_owned(), problem })?;
    session.output.answer(&Verified { file: shown(path), digest: digest.to_string(), signed_by: key.to_string() })
}

/// The signature that a module is uploaded with: from the named file, or else from the file beside the module if keys
/// are trusted and that file exists.
pub(super) fn signature_for(
    session: &Session,
    path: &Path,
    named: Option<PathBuf>,
) -> Result<Option<ModuleSignature>, CliError> {
    let beside = || {
        let file = with_ending(path, SIGNATURE);
        // A file that exists but can't be read is an error; a missing file is not.
        (session.environment.trusted_keys.is_some() && file.symlink_metadata().is_ok()).then_some(file)
    };
    named.or_else(beside).map(|file| parsed(&file)).transpose()
}

/// Reads the file of a key or a signature. Errors repeat nothing of its content.
fn parsed<T: FromStr<Err = SignatureError>>(path: &Path) -> Result<T, CliError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text));
    let problem = match read {
        Ok(_) => match text.parse() {
            Ok(parsed) => return Ok(parsed),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(CliError::KeyFile { path: path.to_owned(), problem })
}

/// The path with `ending` appended to its whole name.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[derive(Serialize)]
struct Made {
    private_key_file: String,
    public_key_file: String,
    public_key: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  private key  {}, for its owner only: keep it where modules are built", self.private_key_file)?;
        writeln!(f, "  public key   {}\n", self.public_key_file)?;
        write!(f, "Let the service trust it: MODULE_TRUSTED_KEYS={}", self.public_key)
    }
}

#[derive(Serialize)]
struct Signed {
    file: String,
    digest: String,
    signature_file: String,
    signature: String,
    public_key: String,
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  module      {}", self.file)?;
        writeln!(f, "  digest      {}", self.digest)?;
        writeln!(f, "  public key  {}", self.public_key)?;
        write!(f, "  signature   {}", self.signature_file)
    }
}

#[derive(Serialize)]
struct Verified {
    file: String,
    digest: String,
    signed_by: String,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  module     {}", self.file)?;
        writeln!(f, "  digest     {}", self.digest)?;
        writeln!(f, "  signed by  {}\n", self.signed_by)?;
        write!(f, "The signature is good.")
    }
}
